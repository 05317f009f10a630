"""Aggregator health: what only Prometheus has, from the aggregator's own `/metrics`."""

from . import prometheus
from .grafana import Panel, Row, dashboard
from .prometheus import query, variable

TITLE = "Quipu / Aggregator health"
DESCRIPTION = "Whether the totals are current and reach the sinks: lag, rows, bad records, commits, sinks."


def build():
    return dashboard("quipu-aggregator-health-prometheus", TITLE, DESCRIPTION, prometheus, VARIABLES, PANELS)


VARIABLES = [
    variable("job", "Job", "The job that scrapes /metrics of the aggregator", "label_values(quipu_ready, job)"),
    variable(
        "instance",
        "Aggregator",
        "The process: one works, others stand by",
        'label_values(quipu_ready{job="$job"}, instance)',
        multi=True,
    ),
    variable(
        "sink",
        "Sink",
        "The name of a [[sink]]",
        'label_values(quipu_sink_lag{job="$job", instance=~"$instance"}, sink)',
        multi=True,
    ),
]
PROCESS = '{job="$job", instance=~"$instance"}'
SINK = '{job="$job", instance=~"$instance", sink=~"$sink"}'
RANGE = "[$__rate_interval]"


def panel(title, description, unit, kind, *targets, width=12, **more):
    return Panel(title, description, unit, kind, lambda _: list(targets), width, **more)


def number(title, description, unit, expression, **more):
    return panel(title, description, unit, "stat", query(expression, "{{instance}}"), width=4, height=4, **more)


PANELS = [
    number(
        "Ready",
        "Aggregators that have read the log to its end and speak: one. Others stand by.",
        "none",
        f"sum(quipu_ready{PROCESS})",
        thresholds=[("red", None), ("green", 1)],
    ),
    number(
        "Source lag",
        "Records on the topic of reports that the aggregator has not read yet. Nothing if the broker does not answer.",
        "locale",
        f"max(quipu_source_lag{PROCESS} >= 0)",
        thresholds=[("green", None), ("orange", 1000), ("red", 10000)],
    ),
    number(
        "Rows",
        "Rows of the table: runs, their parts, and keys of plain counters. limits.max_rows bounds them.",
        "locale",
        f"max(quipu_rows{PROCESS})",
    ),
    number("Series", "Series that have a total. limits.max_series bounds them.", "locale", f"max(quipu_series{PROCESS})"),
    number("Live runs", "Runs that neither left nor fell silent.", "locale", f"max(quipu_live_runs{PROCESS})"),
    number(
        "Bad records",
        "Records that could not be counted since the aggregator started; copies are on the dead-letter topic.",
        "locale",
        f"sum(quipu_bad_records_total{PROCESS}) or vector(0)",
        thresholds=[("green", None), ("red", 1)],
    ),
    Row("Reading"),
    panel(
        "Source lag over time",
        "Records between the aggregator's position and the log's end, as the broker names it.",
        "locale",
        "timeseries",
        query(f"quipu_source_lag{PROCESS}", "{{instance}}"),
        minimum=0,
        width=6,
    ),
    panel(
        "Age of the totals",
        "How long the oldest record that is not in the totals has been waiting. Above the limit the process is not ready.",
        "s",
        "timeseries",
        query(f"quipu_totals_age_seconds{PROCESS}", "{{instance}}"),
        query(f"max(quipu_totals_age_limit_seconds{PROCESS})", "limit"),
        minimum=0,
        width=6,
    ),
    panel(
        "Records by outcome",
        "Records read a second: applied, restarted (a plain counter's lower count), removed (tombstones), stale or "
        "replayed (ignored).",
        "cps",
        "timeseries",
        query(f"sum by (outcome) (rate(quipu_records_total{PROCESS}{RANGE}))", "{{outcome}}"),
        minimum=0,
    ),
    panel(
        "Bad records by reason",
        "Records that could not be counted. The headers of their copies on the dead-letter topic say why and from where.",
        "short",
        "timeseries",
        query(f"sum by (reason) (quipu_bad_records_total{PROCESS})", "{{reason}}"),
        query(f"sum(quipu_dead_letters_total{PROCESS})", "copied to the dead-letter topic"),
        query(f"sum(quipu_dead_letters_lost_total{PROCESS})", "copies that Kafka refused"),
        minimum=0,
    ),
    panel(
        "Rows, series and live runs",
        "How much the aggregator holds in memory. Rows outlive their runs, so that totals keep what those counted.",
        "locale",
        "timeseries",
        query(f"max(quipu_rows{PROCESS})", "rows"),
        query(f"max(quipu_series{PROCESS})", "series"),
        query(f"max(quipu_live_runs{PROCESS})", "live runs"),
        minimum=0,
    ),
    Row("Committing"),
    panel(
        "Commit latency",
        "How long a commit takes, over the last minutes. Totals are late by as much, and by commit_interval. While its "
        "longest step takes, no record is applied.",
        "s",
        "timeseries",
        query(f'max by (quantile) (quipu_commit_seconds{{quantile=~"0.5|0.99", {PROCESS[1:]})', "quantile {{quantile}}"),
        query(
            f"sum(rate(quipu_commit_seconds_sum{PROCESS}{RANGE})) / sum(rate(quipu_commit_seconds_count{PROCESS}{RANGE}))",
            "mean",
        ),
        query(f'max(quipu_commit_pause_seconds{{quantile="0.99", {PROCESS[1:]})', "longest step, quantile 0.99"),
        minimum=0,
    ),
    panel(
        "Commits and totals",
        "Commits a second, and totals that they published.",
        "cps",
        "timeseries",
        query(f"sum(rate(quipu_commits_total{PROCESS}{RANGE}))", "commits"),
        query(f"sum(rate(quipu_aggregates_published_total{PROCESS}{RANGE}))", "totals"),
        minimum=0,
    ),
    Row("Sinks"),
    panel(
        "Sink lag",
        "Totals after the sink's committed position. A Graphite sink commits a few seconds late; one that only grows "
        "belongs to a target that does not accept.",
        "locale",
        "timeseries",
        query(f"quipu_sink_lag{SINK}", "{{sink}}"),
        minimum=0,
    ),
    panel(
        "Points written",
        "Totals that the sink's target accepted, a second.",
        "cps",
        "timeseries",
        query(f"sum by (sink) (rate(quipu_sink_points_total{SINK}{RANGE}))", "{{sink}}"),
        minimum=0,
    ),
    panel(
        "Sink errors",
        "Writes that failed and were done again, and totals that the target can't have. Nothing is lost by the former.",
        "cps",
        "timeseries",
        query(f"sum by (sink) (rate(quipu_sink_retries_total{SINK}{RANGE}))", "{{sink}}: retries"),
        query(f"sum by (sink) (rate(quipu_sink_rejected_total{SINK}{RANGE}))", "{{sink}}: rejected"),
        minimum=0,
    ),
    panel(
        "Names cleaned",
        "Points of which a name or a value had a byte that the target can't hold, written as _xHH.",
        "locale",
        "timeseries",
        query(f"sum by (sink) (quipu_sink_cleaned_total{SINK})", "{{sink}}"),
        minimum=0,
    ),
]
