"""Fleet totals: throughput, totals, per series, top N."""

from .grafana import Panel, Row, choice, dashboard

TITLE = "Quipu / Fleet totals"
DESCRIPTION = "One counter, summed over all instances that ever reported it. A restart or a departure never lowers a total."


def build(language):
    top = choice("top", "Top", "How many values the top charts show", ["10", "5", "20", "50"])
    variables = [*language.fleet_variables(), top]
    return dashboard(f"quipu-fleet-totals-{language.SOURCE}", TITLE, DESCRIPTION, language, variables, PANELS)


PANELS = [
    Panel(
        "Total",
        "The counter's total over all instances and all chosen series. It is exact in Kafka and in InfluxDB; "
        "Prometheus, Graphite and Grafana use 64-bit floats, which are exact up to 2^53.",
        "locale",
        "stat",
        lambda language: language.total(),
        width=8,
        height=4,
    ),
    Panel(
        "Throughput",
        "How fast the total grows, in counts per second.",
        "cps",
        "stat",
        lambda language: language.throughput(),
        width=8,
        height=4,
    ),
    Panel(
        "Series",
        "Number of series of the counter, one for each combination of label values.",
        "locale",
        "stat",
        lambda language: language.series(),
        width=8,
        height=4,
    ),
    Row("By label"),
    Panel(
        "Throughput by $label",
        "Counts per second for each value of the label. A gap in the reports shows as zero followed by a peak.",
        "cps",
        "timeseries",
        lambda language: language.throughput_by_label(),
        width=12,
        height=9,
        minimum=0,
    ),
    Panel(
        "Total by $label",
        "The total for each value of the label. It goes down only if an operator removed a run.",
        "locale",
        "timeseries",
        lambda language: language.total_by_label(),
        width=12,
        height=9,
    ),
    Panel(
        "Top $top by throughput",
        "The values of the label with the highest throughput now, in counts per second.",
        "cps",
        "bars",
        lambda language: language.top_throughputs(),
        width=12,
        height=8,
        minimum=0,
    ),
    Panel(
        "Top $top by total",
        "The values of the label with the largest totals.",
        "locale",
        "bars",
        lambda language: language.top_totals(),
        width=12,
        height=8,
        minimum=0,
    ),
    Row("Per series"),
    Panel(
        "Series and their totals",
        "Each series of the counter and its last total. In InfluxDB, `instances` is the number of live runs that count it.",
        "locale",
        "table",
        lambda language: language.each_series(),
        width=24,
        height=8,
    ),
]
