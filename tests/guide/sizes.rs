//! The guide's tables of sizes are compared with real records.

use quipu_record::{
    Aggregate, CounterPrefix, Millis, Offset, ReportHeader, ReportWriter, RetiredSum, RunKey, Series, StateClock,
    StateKey, StateMarker, StateRetired, StateRow, StateRowHeader, StateRowKind, Total, Value,
};
use uuid::Uuid;

use crate::book::chapter;

const DAY_S: u64 = 86_400;
/// What Kafka adds to a record that is alone in its batch, and to a record among others.
const BATCH_BYTES: u64 = 61 + 12;
const RECORD_BYTES: u64 = 12;
/// The default commit interval.
const COMMITS_A_DAY: u64 = DAY_S;

const AT: i64 = 1_718_900_012_345;
const INSTANCE: &str = "app-123";
const COUNT: u64 = 9_876_543_210;

#[test]
fn the_table_of_sizes_matches_the_records() {
    let rows = chapter("production").rows().into_iter().filter(|row| row.len() == 6);
    let rows: Vec<_> = rows.map(|row| row.join(" | ")).collect();
    let measured: Vec<_> = rows.iter().map(|row| measured(row)).collect();
    assert!(rows.len() >= 5 && rows == measured, "the table must be:\n{}", measured.join("\n"));
}

#[test]
fn the_table_of_the_state_matches_the_records() {
    let run = RunKey { instance: INSTANCE, run: Uuid::now_v7(), part: 0 }.to_string();
    let marker = StateMarker { began: Some(Millis(AT)), seq: 100_000, log_time: Millis(7_000_000_000) };
    let retired = StateRetired { sum: RetiredSum::Counter(i128::from(COUNT) * 100), rows: 1000 };
    let clock =
        StateClock { log_time: Millis(7_000_000_000), appended_at: Some(Millis(AT)), horizon: Some(Millis(AT)) };
    let bytes = |key: Vec<u8>, value: Vec<u8>| (key.len() + value.len()) as u64;
    let measured = [
        ("a run of 20 series", row_bytes(20)),
        ("an expired run (its marker)", bytes(StateKey::Marker(run.as_bytes()).encode(), marker.encode())),
        (
            "a series of expired runs (its retired sum)",
            bytes(StateKey::Retired(&series(1)[0].to_string()).encode(), retired.encode()),
        ),
        ("the log time", bytes(StateKey::CLOCK.into(), clock.encode())),
    ]
    .map(|(what, bytes)| format!("{what} | {bytes}"));
    let rows = chapter("production").rows();
    let is_measured = |row: &String| rows.iter().any(|cells| cells[..2].join(" | ") == *row);
    assert!(measured.iter().all(is_measured), "the table must have:\n{}", measured.join("\n"));
}

/// The row with the same first three cells and the measured sizes.
fn measured(row: &str) -> String {
    let cells: Vec<_> = row.split(" | ").take(3).collect();
    let [series, instances, interval] =
        [0, 1, 2].map(|cell: usize| cells[cell].split(' ').next().unwrap().parse::<u64>().unwrap());
    let reports = instances * DAY_S / interval;
    let bytes = [
        reports * (report_bytes(series) + BATCH_BYTES),
        reports * (row_bytes(series) + RECORD_BYTES),
        // With many instances there are reports, and so a commit, in every second.
        COMMITS_A_DAY.min(reports) * series * (total_bytes() + RECORD_BYTES),
    ];
    format!("{} | {}", cells.join(" | "), bytes.map(rounded).join(" | "))
}

fn series(count: u64) -> Vec<Series> {
    let name = |index| [("topic", format!("orders-{index:04}")), ("outcome", "accepted".to_owned())];
    (0..count).map(|index| Series::new("records_processed", name(index)).unwrap()).collect()
}

fn key_bytes() -> u64 {
    RunKey { instance: INSTANCE, run: Uuid::now_v7(), part: 0 }.to_string().len() as u64
}

fn report_bytes(count: u64) -> u64 {
    let run = Uuid::now_v7();
    let header =
        ReportHeader { instance: INSTANCE, run, at: AT, seq: 100_000, interval_ms: 1000, parts: 1, is_final: false };
    let mut report = ReportWriter::new(&header);
    for series in series(count) {
        report.push(&CounterPrefix::new(series.as_ref()), COUNT);
    }
    key_bytes() + report.finish().len() as u64
}

fn row_bytes(count: u64) -> u64 {
    let kind = StateRowKind::Run { seq: 100_000, parts: 1, is_final: false, is_rebased: false };
    let header = StateRowHeader {
        offset: Offset(100_000_000),
        last_seen: Millis(AT),
        log_time: Millis(7_000_000_000),
        live: true,
        kind,
    };
    let series = series(count);
    let row = StateRow::encode(&header, series.iter().map(|series| (series.as_ref(), Value::Counter(COUNT))), []);
    key_bytes() + row.len() as u64
}

fn total_bytes() -> u64 {
    let series = series(1).remove(0);
    let key = series.to_string().len();
    let total = Aggregate {
        series,
        total: Total::Counter(i128::from(COUNT) * 100),
        timestamp: Millis(AT),
        offset: Offset(100_000_000),
        instances: 100,
    };
    (key + total.to_json().len()) as u64
}

/// Formats a size with two digits.
#[expect(clippy::cast_precision_loss, reason = "it is rounded to two digits")]
fn rounded(bytes: u64) -> String {
    let bytes = bytes as f64;
    let (value, unit) = if bytes < 1e9 { (bytes / 1e6, "MB") } else { (bytes / 1e9, "GB") };
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}
