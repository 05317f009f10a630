//! The expected content of each panel after [`filled`](crate::filled) has written its counters.

/// Stands for a series whose name can't be predicted.
pub(crate) const ANY: &str = "an address";

/// The expected value of a series.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    /// Its last value is this number.
    Is(f64),
    /// It is a rate or a difference. Between the two rounds of reports it amounts to at least the first number, and
    /// from the start to at most the second: Prometheus may have scraped before or after parts of the first round.
    Grew(f64, f64),
    /// Its last value is at least this number.
    AtLeast(f64),
}

use Expect::{AtLeast, Grew, Is};

impl Expect {
    pub(crate) fn holds(self, last: f64, grown: f64) -> bool {
        match self {
            Is(value) => (last - value).abs() < 1e-6,
            // Prometheus extrapolates to the ends of the window, by about half a scrape interval at each end.
            Grew(minimum, maximum) => (minimum * 0.999..=maximum * 1.25).contains(&grown),
            AtLeast(minimum) => last >= minimum,
        }
    }
}

/// The expected series of a panel by name, in any order. The variable `allowance` is 0 and `top` is 1.
pub(crate) fn of_panel(dashboard: &str, title: &str) -> Option<Vec<(&'static str, Expect)>> {
    let (kind, source) = dashboard.rsplit_once('-')?;
    let influxdb = source == "influxdb";
    Some(match (kind, title) {
        ("fleet-totals", "Total") => vec![("total", Is(3100.0))],
        ("fleet-totals", "Throughput") => vec![("throughput", Grew(2100.0, 3100.0))],
        ("fleet-totals", "Series") => vec![("series", Is(2.0))],
        ("fleet-totals", "Throughput by $label") => {
            vec![("auth", Grew(2000.0, 2700.0)), ("mail", Grew(100.0, 400.0))]
        }
        ("fleet-totals", "Total by $label" | "Series and their totals") => {
            vec![("auth", Is(2700.0)), ("mail", Is(400.0))]
        }
        ("fleet-totals", "Top $top by throughput") => vec![("auth", Grew(2000.0, 2700.0))],
        ("fleet-totals", "Top $top by total") => vec![("auth", Is(2700.0))],

        ("duplicate-audit", "Sent") => vec![("sent", Is(3000.0))],
        ("duplicate-audit", "Processed") => vec![("processed", Is(3100.0))],
        // With InfluxDB the test reads the data behind the panel, not the panel's result.
        ("duplicate-audit", "Not processed yet") => vec![("not processed yet", Is(if influxdb { 100.0 } else { 0.0 }))],
        ("duplicate-audit", "Duplicates, at least") => vec![("duplicates", Is(100.0))],
        ("duplicate-audit", "Sent and processed") => vec![("sent", Is(3000.0)), ("processed", Is(3100.0))],
        ("duplicate-audit", "Delta") => {
            vec![("delta", Is(100.0)), ("explained by late reports", Is(if influxdb { 3000.0 } else { 0.0 }))]
        }
        ("duplicate-audit", "Throughput") => vec![("sent", Grew(2000.0, 3000.0)), ("processed", Grew(2100.0, 3100.0))],
        ("duplicate-audit", "Instances that joined, left or became silent") => {
            // The aggregator's own run may have been counted before the first scrape.
            vec![("joined", Grew(0.0, 4.0)), ("left", Grew(1.0, 1.0)), ("silent", Grew(0.0, 0.0))]
        }
        // Two live runs and the aggregator's own. Of the two, one sends and one processes.
        ("duplicate-audit", "Live instances") if influxdb => {
            vec![("count sent", Is(1.0)), ("count processed", Is(1.0))]
        }
        ("duplicate-audit", "Live instances") => vec![("runs that report", Is(3.0))],
        ("duplicate-audit", "annotations") => vec![("joined", Grew(3.0, 4.0)), ("left", Grew(1.0, 1.0))],

        ("aggregator-health", title) => health(title)?,
        _ => return None,
    })
}

fn health(title: &str) -> Option<Vec<(&'static str, Expect)>> {
    let sinks = |expect| vec![("influxdb", expect), ("graphite", expect)];
    Some(match title {
        "Ready" | "Bad records" => vec![("", Is(1.0))],
        "Source lag" => vec![("", Is(0.0))],
        "Rows" => vec![("", Is(4.0))],
        // The number of the aggregator's own series depends on what it has counted so far.
        "Series" => vec![("", AtLeast(10.0))],
        "Live runs" => vec![("", Is(3.0))],
        "Source lag over time" => vec![(ANY, Is(0.0))],
        "Age of the totals" => vec![("limit", Is(10.0)), (ANY, Is(0.0))],
        // Six reports, and those of the aggregator itself.
        "Records by outcome" => vec![("applied", Grew(6.0, 600.0))],
        "Bad records by reason" => vec![
            ("invalid_json", Is(1.0)),
            ("copied to the dead-letter topic", Is(1.0)),
            ("copies that Kafka rejected", Is(0.0)),
        ],
        "Rows, series and live runs" => vec![("rows", Is(4.0)), ("series", AtLeast(10.0)), ("live runs", Is(3.0))],
        // The default limits.
        "Part of the limits in use" => {
            vec![("rows", AtLeast(4.0 / 5_000_000.0)), ("series", AtLeast(10.0 / 1_000_000.0))]
        }
        "Expired runs" => vec![("expired", Is(0.0)), ("markers", Is(0.0))],
        "Memory of the rows" => vec![("rows", AtLeast(400.0))],
        "Commit latency" => ["quantile 0.5", "quantile 0.99", "mean", "longest step, quantile 0.99"]
            .map(|name| (name, AtLeast(1e-6)))
            .into(),
        "Commits and totals" => vec![("commits", Grew(1.0, 6000.0)), ("totals", Grew(10.0, 60_000.0))],
        "CPU" => vec![(ANY, Grew(0.01, 600.0))],
        "Memory" => vec![(ANY, AtLeast(1e6))],
        "Open files" => vec![("limit", AtLeast(100.0)), (ANY, AtLeast(10.0))],
        "Uptime by version" => vec![(ANY, AtLeast(0.1))],
        "Sink lag" | "Names cleaned" => sinks(Is(0.0)),
        "Points written" => sinks(Grew(10.0, 60_000.0)),
        "Sink errors" => vec![
            ("influxdb: retries", Grew(0.0, 100.0)),
            ("graphite: retries", Grew(0.0, 100.0)),
            ("influxdb: left out", Is(0.0)),
            ("graphite: left out", Is(0.0)),
        ],
        _ => return None,
    })
}
