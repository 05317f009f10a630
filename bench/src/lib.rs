//! Records and a topology for the benchmarks of the parts.

use std::fmt::Write as _;

use quipu_record::Millis;
use quipu_topology::{Retention, Settings, Topology};

/// Whether this is a full benchmark, for which cargo sets `--bench`. Otherwise it is a test, which only checks that the
/// benchmark works.
#[must_use]
pub fn is_whole() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// A record's key and value.
pub type Record = (String, String);

/// A plain counter as JSON in the format of the original system. The row's number determines key and metric (one of
/// 200), and the count grows with `times`.
#[must_use]
pub fn plain(row: u64, times: u64) -> Record {
    let (instance, metric) = (row / 200, row % 200);
    let count = 1_000_000 + times;
    let value = format!(r#"{{"type":"COUNTER","name":"metric_{metric}","count":{count},"timestamp":"1718900012"}}"#);
    (format!("app-{instance}:metric_{metric}"), value)
}

/// The `seq`th report of a run with this number of counters, each with a label and larger than in the report before.
#[must_use]
pub fn report(run: u64, counters: u64, seq: u64) -> Record {
    // The run began before the time that the benchmarks take as now.
    let id = format!("01900000-0000-7000-8000-{run:012}");
    let mut value = format!(
        r#"{{"v":1,"instance":"app-{run}","run":"{id}","at":1718900012345,"seq":{seq},"interval_ms":1000,"final":false,"counters":["#
    );
    for counter in 0..counters {
        let comma = if counter > 0 { "," } else { "" };
        let count = 1_000_000 + seq;
        // Writing to a string can't fail.
        _ = write!(value, r#"{comma}{{"name":"records_processed","labels":{{"topic":"t{counter}"}},"value":{count}}}"#);
    }
    value.push_str("]}");
    (format!("app-{run}/{id}"), value)
}

/// An empty topology with [`settings`].
#[must_use]
pub fn topology() -> Topology {
    Topology::new(settings())
}

/// The default settings, with limits that no benchmark reaches.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        instance_timeout: Millis(30_000),
        refresh_interval: Millis(60_000),
        retention: Retention { runs: Some(Millis(7 * 24 * 3_600_000)), finished: Some(Millis(3_600_000)) },
        max_rows: 5_000_000,
        max_series: 1_000_000,
        audits: Vec::new(),
    }
}
