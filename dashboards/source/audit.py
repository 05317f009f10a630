"""Duplicate audit: sent against processed, the delta, instances that came and went."""

from .grafana import Panel, Row, choice, dashboard

TITLE = "Quipu / Duplicate audit"
DESCRIPTION = "What was sent against what was processed: a delta that stays above zero is so many records done twice."
LATE_REPORTS = (
    "Both sides are reported once an interval, so while records flow the delta can be positive without a duplicate, "
    "by the rate of sending times the longest report interval and a commit: what late reports explain "
    "(rate x allowance)."
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
        "Records that the consumers counted, those done twice twice (quipu_audit_processed).",
        "locale",
        "stat",
        lambda language: language.audit_processed(),
        width=6,
        height=4,
    ),
    Panel(
        "Not processed yet",
        "How far processing is behind: sent less processed, if that is positive. It hides duplicates until processing "
        "has caught up.",
        "locale",
        "stat",
        lambda language: language.audit_missing(),
        width=6,
        height=4,
        thresholds=ORANGE_ABOVE_ZERO,
    ),
    Panel(
        "Duplicates, at least",
        "The part of the delta that late reports do not explain: so many records, or more, were processed twice. "
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
        "Sent against processed",
        "Both totals. They meet when everything was processed; processed ends above sent if records were done twice.",
        "locale",
        "timeseries",
        lambda language: language.audit_sides(),
        width=12,
        height=9,
        colors=SIDES,
    ),
    Panel(
        "Delta",
        "Processed less sent (quipu_audit_delta). Below zero: behind. Above zero for longer than it takes to report: "
        "duplicates. " + LATE_REPORTS,
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
        "Records sent and processed, a second.",
        "cps",
        "timeseries",
        lambda language: language.audit_throughputs(),
        width=12,
        minimum=0,
        colors=SIDES,
    ),
    Panel(
        "Instances that came and went",
        "Runs that joined (their first report, or one after a silence), left (their final report, or removed) or fell "
        "silent (none for instance_timeout), counted by the aggregator. A consumer that goes is what most often causes "
        "duplicates: what it had done and not committed is done again. Not only those of this audit.",
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
        "Runs that report. In InfluxDB: those that count each side of this audit; in Prometheus: all, the aggregator's "
        "own run included.",
        "short",
        "timeseries",
        lambda language: language.instances(),
        width=12,
        minimum=0,
        decimals=0,
    ),
]
