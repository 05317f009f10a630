"""Graphite queries on the paths that the sink writes: $prefix.NAME, and two nodes for each label: its name and its value.

A series has a point when it changed, and otherwise one per minute; seconds without a point have the value before them.
"""

from .grafana import query_variable

SOURCE = "graphite"
BARS_ARE_ROWS = False
INTERVAL = "1s"
ALLOWANCE = "$allowance"


def query(target):
    return {"target": target, "textEditor": True}


def variable(name, label, description, definition, **options):
    return query_variable(SOURCE, name, label, description, definition, every="*", **options)


PREFIX = {
    "name": "prefix",
    "label": "Prefix",
    "description": "The text before {name} in the sink's template",
    "type": "textbox",
    "query": "quipu",
    "current": {"text": "quipu", "value": "quipu"},
}


def fleet_variables():
    return [
        PREFIX,
        variable("metric", "Metric", "The counter to look at", "$prefix.*", regex="/^(?!quipu_).*/"),
        variable("label", "By", "The label whose values are shown separately: the first of each series", "$prefix.$metric.*", multi=True),
        variable("value", "Filter", "Only the series with these values", "$prefix.$metric.$label.*", multi=True),
    ]


def audit_variables():
    return [PREFIX, variable("audit", "Audit", "The pair of counters", "$prefix.quipu_audit_delta.audit.*")]


def steady(path):
    return f"keepLastValue({path})"


def shown(target, how="last"):
    """A graph has fewer points than the data: each shows the last of the values that fall on it, not their mean."""
    return f"consolidateBy({target}, '{how}')"


def alias(target, name):
    return f"alias({target}, '{name}')"


def positive(target):
    """The larger of the target and zero. A constantLine can't be used: it has three points, which would be averaged in."""
    return f"scale(sumSeries({target}, absolute({target})), 0.5)"


# The values of the chosen label; further labels are more nodes. A metric without labels is one series.
METRIC = "group($prefix.$metric, $prefix.$metric.$label.$value, $prefix.$metric.$label.$value.**)"
VALUE_NODE = 3


def by_label(target, how="last"):
    # A metric without labels has no node with a value: the name is then that of the function.
    grouped = f"groupByNode({target}, {VALUE_NODE}, 'sum')"
    return f"aliasSub(aliasByNode({shown(grouped, how)}, 0), '^consolidateBy$', '$metric')"


TOTAL_BY_LABEL = by_label(steady(METRIC))
THROUGHPUT_BY_LABEL = by_label(f"perSecond({steady(METRIC)})", "average")


def total():
    return [query(alias(shown(f"sumSeries({steady(METRIC)})"), "total"))]


def throughput():
    return [query(alias(f"sumSeries(perSecond({steady(METRIC)}))", "throughput"))]


def series():
    return [query(alias(f"countSeries({METRIC})", "series"))]


def throughput_by_label():
    return [query(THROUGHPUT_BY_LABEL)]


def total_by_label():
    return [query(TOTAL_BY_LABEL)]


def top_totals():
    return [query(f"highestCurrent({TOTAL_BY_LABEL}, $top)")]


def top_throughputs():
    return [query(f"highestCurrent({THROUGHPUT_BY_LABEL}, $top)")]


def each_series():
    path = r"aliasSub(%s, '^.*\(([^,()]+)[,)].*$', '\1')"
    return [query(path % shown(steady(METRIC)))]


def audit(part):
    return steady(f"$prefix.quipu_audit_{part}.audit.$audit")


def audit_sent():
    return [query(alias(shown(audit("sent")), "sent"))]


def audit_processed():
    return [query(alias(shown(audit("processed")), "processed"))]


def audit_sides():
    return audit_sent() + audit_processed()


def audit_throughputs():
    return [query(alias(f"perSecond({audit(side)})", side)) for side in ("sent", "processed")]


def in_flight():
    # The maximum, because a second with two reports is followed by one without.
    return f"scale(movingMax(perSecond({audit('sent')}), '1min'), {ALLOWANCE})"


def audit_delta():
    return [query(alias(shown(audit("delta")), "delta")), query(alias(in_flight(), "explained by late reports"))]


def audit_duplicates():
    return [query(alias(shown(positive(f"diffSeries({audit('delta')}, {in_flight()})")), "duplicates"))]


def audit_missing():
    return [query(alias(shown(positive(f"scale({audit('delta')}, -1)")), "not processed yet"))]


def run_events():
    events = f"nonNegativeDerivative({steady('$prefix.quipu_run_events_total.event.*')})"
    return [query(f"aliasByNode({shown(events, 'sum')}, {VALUE_NODE})")]


def instances():
    return []


def audit_annotations():
    return []
