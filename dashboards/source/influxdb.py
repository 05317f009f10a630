"""Flux queries on the points that the sink writes: measurement = metric name, tags = labels, fields total and instances.

A series has a point when it changed, and otherwise one per minute; windows without a point have the value before them.
"""

from .grafana import query_variable

SOURCE = "influxdb"
# The bars of a chart are the rows of one table.
BARS_ARE_ROWS = True
# In shorter windows some would have a report and some would not.
INTERVAL = "5s"
ALLOWANCE = "${allowance}"


def query(flux):
    return {"query": flux}


def variable(name, label, description, flux, **options):
    return query_variable(SOURCE, name, label, description, {"query": flux, "refId": name}, **options)


SCHEMA = 'import "influxdata/influxdb/schema"\n\n'
BUCKET = variable(
    "bucket",
    "Bucket",
    "The bucket that the sink writes to",
    'buckets()\n  |> filter(fn: (r) => r.name !~ /^_/)\n  |> map(fn: (r) => ({_value: r.name}))',
)


def fleet_variables():
    # A metric without labels is shown by its name, which is sorted after the labels.
    keys = 'schema.measurementTagKeys(bucket: "${bucket}", measurement: "${metric}")'
    tags = keys + '\n  |> filter(fn: (r) => r._value !~ /^_/ or r._value == "_measurement")'
    values = 'schema.measurementTagValues(bucket: "${bucket}", measurement: "${metric}", tag: "${label}")'
    return [
        BUCKET,
        variable(
            "metric",
            "Metric",
            "The counter to look at",
            SCHEMA + 'schema.measurements(bucket: "${bucket}")',
            regex="/^(?!quipu_).*/",
        ),
        variable("label", "By", "The label whose values are shown separately", SCHEMA + tags, sort=2),
        variable("value", "Filter", "Only the series with these values of the label", SCHEMA + values, multi=True),
    ]


def audit_variables():
    audits = 'schema.measurementTagValues(bucket: "${bucket}", measurement: "quipu_audit_delta", tag: "audit")'
    return [BUCKET, variable("audit", "Audit", "The pair of counters", SCHEMA + audits)]


def points(condition):
    bounds = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"
    return f'from(bucket: "${{bucket}}")\n  |> {bounds}\n  |> filter(fn: (r) => {condition})\n'


def windows(condition):
    every = "aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: true)"
    return f"{points(condition)}  |> {every}\n  |> fill(usePrevious: true)\n  |> filter(fn: (r) => exists r._value)\n"


FIELD = 'r._measurement == "${metric}" and r._field == "total"'
MATCHES = 'r["${label}"] =~ /^${value:regex}$/'
METRIC = f"{FIELD} and {MATCHES}"
RATE = "  |> derivative(unit: 1s, nonNegative: true)\n"
LAST = "  |> last()\n"
SORTED = '  |> group()\n  |> sort(columns: ["_time"])\n'
SUM = '  |> group(columns: ["_time"])\n  |> sum()\n' + SORTED


def column_for_each(label):
    """Pivots the series into columns named by their label value; otherwise all of them would be named _value."""
    return SORTED + f'  |> pivot(rowKey: ["_time"], columnKey: ["{label}"], valueColumn: "_value")\n'


SUM_BY_LABEL = '  |> group(columns: ["_time", "${label}"])\n  |> sum()\n' + column_for_each("${label}")
TOP = '  |> group(columns: ["${label}"])\n  |> sum()\n  |> group()\n  |> top(n: ${top})\n  |> keep(columns: ["${label}", "_value"])\n'


def named(name):
    return f'  |> map(fn: (r) => ({{_time: r._time, {name}: r._value}}))\n'


def total():
    return [query(windows(METRIC) + SUM + named("total"))]


def throughput():
    return [query(windows(METRIC) + RATE + SUM + named("throughput"))]


def series():
    return [query(points(METRIC) + LAST + "  |> group()\n  |> count()\n" + '  |> rename(columns: {_value: "series"})\n')]


def throughput_by_label():
    return [query(windows(METRIC) + RATE + SUM_BY_LABEL)]


def total_by_label():
    return [query(windows(METRIC) + SUM_BY_LABEL)]


def top_totals():
    return [query(points(METRIC) + LAST + TOP)]


def top_throughputs():
    return [query(windows(METRIC) + RATE + LAST + TOP)]


def each_series():
    fields = 'r._measurement == "${metric}" and (r._field == "total" or r._field == "instances")'
    columns = '  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n  |> group()\n'
    drop = '  |> drop(columns: ["_start", "_stop", "_measurement"])\n'
    return [query(points(f"{fields} and {MATCHES}") + LAST + columns + drop)]


def audit(part, field="total"):
    return f'r._measurement == "quipu_audit_{part}" and r._field == "{field}" and r.audit == "${{audit}}"'


def audit_sent():
    return [query(windows(audit("sent")) + "  |> group()\n" + named("sent"))]


def audit_processed():
    return [query(windows(audit("processed")) + "  |> group()\n" + named("processed"))]


def audit_sides():
    return audit_sent() + audit_processed()


def audit_throughputs():
    return [query(windows(audit(side)) + RATE + "  |> group()\n" + named(side)) for side in ("sent", "processed")]


def in_flight():
    allowed = f"  |> map(fn: (r) => ({{r with _value: r._value * float(v: {ALLOWANCE})}}))\n"
    return windows(audit("sent")) + RATE + allowed + "  |> group()\n"


def audit_delta():
    delta = windows(audit("delta")) + "  |> group()\n" + named("delta")
    return [query(delta), query(in_flight() + named('"explained by late reports"'))]


def audit_duplicates():
    delta = windows(audit("delta")) + "  |> group()\n  |> toFloat()\n"
    joined = 'join(tables: {delta: delta, allowed: allowed}, on: ["_time"])\n'
    more = "r._value_delta - r._value_allowed"
    row = f"  |> map(fn: (r) => ({{_time: r._time, duplicates: if {more} > 0.0 then {more} else 0.0}}))\n"
    return [query(f"delta =\n{delta}\nallowed =\n{in_flight()}\n{joined}{row}")]


def audit_missing():
    missing = '  |> map(fn: (r) => ({_time: r._time, "not processed yet": if r._value < 0 then -r._value else 0}))\n'
    return [query(windows(audit("delta")) + "  |> group()\n" + missing)]


def run_events():
    events = 'r._measurement == "quipu_run_events_total" and r._field == "total"'
    steps = '  |> difference(nonNegative: true)\n  |> keep(columns: ["_time", "_value", "event"])\n'
    return [query(windows(events) + steps + column_for_each("event"))]


def instances():
    return [
        query(windows(audit(side, "instances")) + "  |> group()\n" + named(f'"count {side}"'))
        for side in ("sent", "processed")
    ]


def audit_annotations():
    return []
