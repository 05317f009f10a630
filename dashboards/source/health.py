"""Aggregator health, from the aggregator's own `/metrics`; for Prometheus only."""

from . import prometheus
from .grafana import Panel, Row, dashboard
from .prometheus import query, variable

TITLE = "Quipu / Aggregator health"
DESCRIPTION = "Whether the totals are current and reach the sinks: lag, rows, bad records, commits, sinks, the process."


def build():
    return dashboard("quipu-aggregator-health-prometheus", TITLE, DESCRIPTION, prometheus, VARIABLES, PANELS)


VARIABLES = [
    variable("job", "Job", "The job that scrapes /metrics of the aggregator", "label_values(quipu_ready, job)"),
    variable(
        "instance",
        "Aggregator",
        "The process: one is active, the others are standbys",
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
        "Number of active aggregators that have caught up: one. Standbys are not ready.",
        "none",
        f"sum(quipu_ready{PROCESS})",
        thresholds=[("red", None), ("green", 1)],
    ),
    number(
        "Source lag",
        "Records on the topic of reports that the aggregator has not read yet. Empty if the broker does not answer.",
        "locale",
        f"max(quipu_source_lag{PROCESS} >= 0)",
        thresholds=[("green", None), ("orange", 1000), ("red", 10000)],
    ),
    number(
        "Rows",
        "Rows of the table: runs, their parts, and plain keys. The limit is limits.max_rows.",
        "locale",
        f"max(quipu_rows{PROCESS})",
    ),
    number("Series", "Series that have a total. The limit is limits.max_series.", "locale", f"max(quipu_series{PROCESS})"),
    number("Live runs", "Runs that have not left and are not silent.", "locale", f"max(quipu_live_runs{PROCESS})"),
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
        "Records between the aggregator's position and the end of the log.",
        "locale",
        "timeseries",
        query(f"quipu_source_lag{PROCESS}", "{{instance}}"),
        minimum=0,
        width=6,
    ),
    panel(
        "Age of the totals",
        "Age of the oldest record that is not in the totals yet. Above the limit the process is not ready.",
        "s",
        "timeseries",
        query(f"quipu_totals_age_seconds{PROCESS}", "{{instance}}"),
        query(f"max(quipu_totals_age_limit_seconds{PROCESS})", "limit"),
        minimum=0,
        width=6,
    ),
    panel(
        "Records by outcome",
        "Records read per second: applied, restarted (a plain counter's lower count), rebased (an expired run is back), "
        "removed (tombstones), stale or replayed (ignored).",
        "cps",
        "timeseries",
        query(f"sum by (outcome) (rate(quipu_records_total{PROCESS}{RANGE}))", "{{outcome}}"),
        minimum=0,
    ),
    panel(
        "Bad records by reason",
        "Records that could not be counted. Their copies on the dead-letter topic have headers with the reason and the origin.",
        "short",
        "timeseries",
        query(f"sum by (reason) (quipu_bad_records_total{PROCESS})", "{{reason}}"),
        query(f"sum(quipu_dead_letters_total{PROCESS})", "copied to the dead-letter topic"),
        query(f"sum(quipu_dead_letters_lost_total{PROCESS})", "copies that Kafka rejected"),
        minimum=0,
    ),
    panel(
        "Rows, series and live runs",
        "What the aggregator holds in memory. Rows outlive their runs until they expire.",
        "locale",
        "timeseries",
        query(f"max(quipu_rows{PROCESS})", "rows"),
        query(f"max(quipu_series{PROCESS})", "series"),
        query(f"max(quipu_live_runs{PROCESS})", "live runs"),
        minimum=0,
    ),
    panel(
        "Part of the limits in use",
        "Rows as a part of limits.max_rows, and series as a part of limits.max_series. At 100 % new ones are refused, and "
        "totals are too low.",
        "percentunit",
        "timeseries",
        query(f"max(quipu_rows{PROCESS} / quipu_rows_limit{PROCESS})", "rows"),
        query(f"max(quipu_series{PROCESS} / quipu_series_limit{PROCESS})", "series"),
        minimum=0,
        width=8,
    ),
    panel(
        "Expired runs",
        "Runs that expired since the aggregator started, and the markers that are kept of expired runs.",
        "locale",
        "timeseries",
        query(f"sum(quipu_retired_runs_total{PROCESS})", "expired"),
        query(f"max(quipu_markers{PROCESS})", "markers"),
        minimum=0,
        width=8,
    ),
    panel(
        "Memory of the rows",
        "The memory that the rows take, as an estimate.",
        "bytes",
        "timeseries",
        query(f"max(quipu_table_bytes{PROCESS})", "rows"),
        minimum=0,
        width=8,
    ),
    Row("Committing"),
    panel(
        "Commit latency",
        "How long a commit takes, over the last minutes. Totals are delayed by this time and by commit_interval. No record is "
        "applied during a step of a commit.",
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
        "Commits per second, and totals that they published.",
        "cps",
        "timeseries",
        query(f"sum(rate(quipu_commits_total{PROCESS}{RANGE}))", "commits"),
        query(f"sum(rate(quipu_aggregates_published_total{PROCESS}{RANGE}))", "totals"),
        minimum=0,
    ),
    Row("Sinks"),
    panel(
        "Sink lag",
        "Totals after the sink's committed position. A Graphite sink commits a few seconds late. A lag that only grows "
        "means that the target does not accept.",
        "locale",
        "timeseries",
        query(f"quipu_sink_lag{SINK}", "{{sink}}"),
        minimum=0,
    ),
    panel(
        "Points written",
        "Totals that the sink's target accepted, per second.",
        "cps",
        "timeseries",
        query(f"sum by (sink) (rate(quipu_sink_points_total{SINK}{RANGE}))", "{{sink}}"),
        minimum=0,
    ),
    panel(
        "Sink errors",
        "Writes that failed and were retried, which loses nothing, and records that were left out: totals that the target "
        "can't store, and records that are not aggregates.",
        "cps",
        "timeseries",
        query(f"sum by (sink) (rate(quipu_sink_retries_total{SINK}{RANGE}))", "{{sink}}: retries"),
        query(f"sum by (sink) (rate(quipu_sink_rejected_total{SINK}{RANGE}))", "{{sink}}: left out"),
        minimum=0,
    ),
    panel(
        "Names cleaned",
        "Points with a name or a value that contained a byte that the target can't hold; the byte is written as _xHH.",
        "locale",
        "timeseries",
        query(f"sum by (sink) (quipu_sink_cleaned_total{SINK})", "{{sink}}"),
        minimum=0,
    ),
    Row("Process"),
    panel(
        "CPU",
        "How many cores the process uses.",
        "short",
        "timeseries",
        query(f"rate(process_cpu_seconds_total{PROCESS}{RANGE})", "{{instance}}"),
        minimum=0,
        width=6,
    ),
    panel(
        "Memory",
        "Resident memory of the process. It grows with rows and series.",
        "bytes",
        "timeseries",
        query(f"process_resident_memory_bytes{PROCESS}", "{{instance}}"),
        minimum=0,
        width=6,
    ),
    panel(
        "Open files",
        "Open file descriptors, and the most that the process may have open.",
        "short",
        "timeseries",
        query(f"process_open_fds{PROCESS}", "{{instance}}"),
        query(f"min(process_max_fds{PROCESS})", "limit"),
        minimum=0,
        width=6,
    ),
    panel(
        "Uptime by version",
        "How long the process has been running, and its version.",
        "s",
        "timeseries",
        query(
            f"time() - process_start_time_seconds{PROCESS} * on (job, instance) group_left (version) quipu_build_info",
            "{{instance}} {{version}}",
        ),
        minimum=0,
        width=6,
    ),
]
