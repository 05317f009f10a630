"""PromQL queries on the totals of `/metrics/totals` (job $job) and the aggregator's own `/metrics` (job $aggregator)."""

from .grafana import query_variable

SOURCE = "prometheus"
BARS_ARE_ROWS = False
# Prometheus data sources have a scrape interval of their own.
INTERVAL = None
ALLOWANCE = "$allowance"


def query(expression, legend="__auto", instant=False, table=False):
    target = {"expr": expression, "legendFormat": legend, "editorMode": "code"}
    target |= {"instant": True, "range": False} if instant or table else {"instant": False, "range": True}
    return target | {"format": "table" if table else "time_series"}


def variable(name, label, description, definition, **options):
    return query_variable(SOURCE, name, label, description, {"query": definition, "refId": name}, **options)


OWN_JOB = ("Aggregator's job", "The job that scrapes /metrics of the aggregator", "label_values(quipu_ready, job)")
TOTALS_JOB = ("Totals' job", "The job that scrapes /metrics/totals")
# Every job with counters, except those of aggregators: a fleet without an audit has no metric of a known name.
JOBS_WITH_COUNTERS = 'query_result(count by (job) ({__name__=~".+_total"} unless on (job, instance) quipu_ready))'


def fleet_variables():
    return [
        variable("job", *TOTALS_JOB, JOBS_WITH_COUNTERS, regex='/job="([^"]+)"/'),
        variable(
            "metric",
            "Metric",
            "The counter to look at",
            'label_values({job="$job", __name__=~".+_total"}, __name__)',
            regex="/^(?!quipu_).*/",
        ),
        variable(
            "label",
            "By",
            "The label whose values are shown separately",
            'label_names($metric{job="$job"})',
            # A metric without labels is shown by its name, which is sorted after the labels.
            regex="/^(?!instance$|job$).*/",
            sort=2,
        ),
        {
            "name": "filter",
            "label": "Filter",
            "description": "Only the series with these labels",
            "type": "adhoc",
            "datasource": {"type": SOURCE, "uid": "${datasource}"},
        },
    ]


def audit_variables():
    return [
        variable("job", *TOTALS_JOB, "label_values(quipu_audit_delta, job)"),
        variable("aggregator", *OWN_JOB),
        variable("audit", "Audit", "The pair of counters", 'label_values(quipu_audit_delta{job="$job"}, audit)'),
    ]


METRIC = '$metric{job="$job"}'
RATE = f"rate({METRIC}[$__rate_interval])"
# rate() drops the name, which the panels need if the name is what is shown separately.
NAMED_RATE = f'label_replace({RATE}, "__name__", "$metric", "", "")'


def total():
    return [query(f"sum({METRIC})", "total")]


def throughput():
    return [query(f"sum({RATE})", "throughput")]


def series():
    return [query(f"count({METRIC})", "series")]


def throughput_by_label():
    return [query(f"sum by ($label) ({NAMED_RATE})", "{{$label}}")]


def total_by_label():
    return [query(f"sum by ($label) ({METRIC})", "{{$label}}")]


def top_totals():
    return [query(f"sort_desc(topk($top, sum by ($label) ({METRIC})))", "{{$label}}", instant=True)]


def top_throughputs():
    return [query(f"sort_desc(topk($top, sum by ($label) ({NAMED_RATE})))", "{{$label}}", instant=True)]


def each_series():
    return [query(METRIC, table=True)]


def audit_sample(name):
    return f'quipu_audit_{name}{{job="$job", audit="$audit"}}'


def audit_sent():
    return [query(audit_sample("sent_total"), "sent")]


def audit_processed():
    return [query(audit_sample("processed_total"), "processed")]


def audit_sides():
    return audit_sent() + audit_processed()


def audit_throughputs():
    rates = [(f"rate({audit_sample(side + '_total')}[$__rate_interval])", side) for side in ("sent", "processed")]
    return [query(*rate) for rate in rates]


def in_flight():
    """How far the delta may be off, because a report of one side can be newer than a report of the other."""
    return f"{ALLOWANCE} * rate({audit_sample('sent_total')}[$__rate_interval])"


def audit_delta():
    return [query(audit_sample("delta"), "delta"), query(in_flight(), "explained by late reports")]


def audit_duplicates():
    return [query(f"clamp_min({audit_sample('delta')} - {in_flight()}, 0)", "duplicates")]


def audit_missing():
    return [query(f"clamp_min(-{audit_sample('delta')}, 0)", "not processed yet")]


EVENTS = 'quipu_run_events_total{job="$aggregator"}'


def run_events():
    return [query(f"sum by (event) (increase({EVENTS}[$__rate_interval]))", "{{event}}")]


def instances():
    return [query('max(quipu_live_runs{job="$aggregator"})', "runs that report")]


def audit_annotations():
    return [
        {
            "name": "Instances",
            "datasource": {"type": SOURCE, "uid": "${datasource}"},
            "enable": True,
            "iconColor": "purple",
            "expr": f"sum by (event) (increase({EVENTS}[$__rate_interval])) > 0",
            "step": "15s",
            "titleFormat": "{{event}}",
            "textFormat": "Run events",
        }
    ]
