"""Duplicate audit: sent compared with processed, the delta, and the instances that joined, left or became silent."""

from .grafana import Panel, Row, choice, dashboard

TITLE = "Quipu / Duplicate audit"
DESCRIPTION = (
    "Compares what was sent with what was processed. If the delta stays above zero, at least that many records were "
    "processed twice."
)
LATE_REPORTS = (
    "Both sides are reported once per interval, so the delta can be positive without a duplicate while records flow. The "
    "bound is the rate of sending times the sum of the longest report interval and one commit: this part of the delta is "
    "explained by late reports."
)


def build(language):
    allowance = choice("allowance", "Late reports (s)", "The longest report interval and a commit, in seconds", ALLOWANCES)
    variables = [*language.audit_variables(), allowance]
    uid, annotations = f"quipu-duplicate-audit-{language.SOURCE}", language.audit_annotations()
    return dashboard(uid, TITLE, DESCRIPTION, language, variables, PANELS, annotations, since="now-15m")


# Reports come once a second by default.
ALLOWANCES = ["2", "1", "5", "10", "30", "60"]
RED_ABOVE_ZERO = [("green", None), ("red", 1)]
ORANGE_ABOVE_ZERO = [("green", None), ("orange", 1)]
SIDES = {"sent": "blue", "processed": "green"}

PANELS = [
    Panel(
        "Sent",
        "Records that the senders counted (quipu_audit_sent).",
        "locale",
        "stat",
        lambda language: language.audit_sent(),
        width=6,
        height=4,
    ),
    Panel(
        "Processed",
        "Records that the consumers counted; a record that was processed twice counts twice (quipu_audit_processed).",
        "locale",
        "stat",
        lambda language: language.audit_processed(),
        width=6,
        height=4,
    ),
    Panel(
        "Not processed yet",
        "How far processing is behind: sent minus processed, if that is positive. While it is positive, it can hide "
        "duplicates.",
        "locale",
        "stat",
        lambda language: language.audit_missing(),
        width=6,
        height=4,
        thresholds=ORANGE_ABOVE_ZERO,
    ),
    Panel(
        "Duplicates, at least",
        "The part of the delta that late reports do not explain: at least that many records were processed twice. "
        + LATE_REPORTS,
        "locale",
        "stat",
        lambda language: language.audit_duplicates(),
        width=6,
        height=4,
        thresholds=RED_ABOVE_ZERO,
        decimals=0,
    ),
    Row("Over time"),
    Panel(
        "Sent and processed",
        "Both totals. They are equal when every record was processed once; processed ends above sent if there were duplicates.",
        "locale",
        "timeseries",
        lambda language: language.audit_sides(),
        width=12,
        height=9,
        colors=SIDES,
    ),
    Panel(
        "Delta",
        "Processed minus sent (quipu_audit_delta). Below zero: processing is behind. Above zero for longer than reports "
        "take: duplicates. " + LATE_REPORTS,
        "locale",
        "timeseries",
        lambda language: language.audit_delta(),
        width=12,
        height=9,
        thresholds=RED_ABOVE_ZERO,
        colors={"delta": "red", "explained by late reports": "gray"},
    ),
    Panel(
        "Throughput",
        "Records sent and processed per second.",
        "cps",
        "timeseries",
        lambda language: language.audit_throughputs(),
        width=12,
        minimum=0,
        colors=SIDES,
    ),
    Panel(
        "Instances that joined, left or became silent",
        "Runs that joined (first report, or a report after a silence), left (final report, or removed) or became silent "
        "(no report for instance_timeout), counted by the aggregator. Most duplicates come from a consumer that leaves or "
        "becomes silent: records that it processed and did not commit are processed again. The panel shows all runs, not "
        "only those of this audit.",
        "short",
        "events",
        lambda language: language.run_events(),
        width=12,
        minimum=0,
        decimals=0,
        colors={"joined": "green", "left": "blue", "silent": "red"},
    ),
    Panel(
        "Live instances",
        "Runs that report. In InfluxDB: the runs that count each side of this audit. In Prometheus: all runs, including the "
        "aggregator's own.",
        "short",
        "timeseries",
        lambda language: language.instances(),
        width=12,
        minimum=0,
        decimals=0,
    ),
]
