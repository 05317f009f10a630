//! Synthetic data of the experiment, for the examples and the tests of frames: a producer sends a million records, two
//! consumers process them, and one consumer leaves with uncommitted records.

use quipu_record::{Aggregate, CounterPrefix, Millis, Offset, ReportHeader, ReportWriter, RunKey, Series, Total};
use quipu_tui::{Batch, Connection, GroupOffset, LagReport, RawRecord, Topic, TopicState};
use uuid::{Builder, Uuid};

/// The start of the experiment in tests and images, in ms since 1970.
pub(crate) const START: i64 = 1_718_900_000_000;

/// Creates a record of a run's counters at the time `at`, in ms since 1970.
pub(crate) fn report(
    instance: &str,
    run: Uuid,
    seq: u64,
    at: i64,
    counters: &[(&Series, u64)],
    is_final: bool,
) -> RawRecord {
    let mut report =
        ReportWriter::new(&ReportHeader { instance, run, at, seq, interval_ms: 1_000, parts: 1, is_final });
    for (series, count) in counters {
        report.push(&CounterPrefix::new(series.as_ref()), *count);
    }
    let key = RunKey { instance, run, part: 0 }.to_string().into_bytes();
    RawRecord { offset: i64::try_from(seq).unwrap_or(0), timestamp: at, key: Some(key), value: Some(report.finish()) }
}

/// Creates a record of a total.
pub(crate) fn aggregate(series: &Series, total: Total, timestamp: i64, instances: u64) -> RawRecord {
    let offset = timestamp % 1_000_000_000 / 100;
    let aggregate =
        Aggregate { series: series.clone(), total, timestamp: Millis(timestamp), offset: Offset(offset), instances };
    let key = Some(series.to_string().into_bytes());
    RawRecord { offset, timestamp, key, value: Some(aggregate.to_json()) }
}

/// Creates the UUID of a run that started at a time, in ms since 1970.
pub(crate) fn run(began: i64, random: u64) -> Uuid {
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&random.to_be_bytes());
    Builder::from_unix_timestamp_millis(u64::try_from(began).unwrap_or(0), &bytes).into_uuid()
}

/// Parses a series.
pub(crate) fn series(text: &str) -> Series {
    text.parse().expect("a series")
}

/// Returns the batches of a source that is connected and has read both topics.
pub(crate) fn caught_up() -> Vec<Batch> {
    let state = |topic| Batch::Topic { topic, state: TopicState::CaughtUp };
    vec![Batch::Connection(Connection::Connected), state(Topic::Metrics), state(Topic::Aggregates)]
}

/// Returns the batches of the second `second` of an experiment that starts at `start`, in ms since 1970.
pub(crate) fn second(start: i64, second: u64) -> Vec<Batch> {
    let at = |second: u64| start + i64::try_from(second).unwrap_or(0) * 1_000;
    let now = at(second);
    let (sent, processed) = (series(r#"records_sent{topic="auth"}"#), series(r#"records_processed{topic="auth"}"#));
    let mut batches = if second == 0 { caught_up() } else { Vec::new() };
    let mut metrics = Vec::new();
    let mut push = |instance: &str, began: u64, left: u64, count: u64, of: &Series| {
        if (began..=left).contains(&second) {
            let run = run(at(began), 0x10 + began);
            let mut record = report(instance, run, second + 1, now, &[(of, count)], second == left);
            record.offset = i64::try_from(second * 4 + began % 4).unwrap_or(0);
            metrics.push(record);
        }
    };
    let all_sent = (second * 25_000).min(1_000_000);
    // app-1 processes again the records that app-2 had processed but not committed.
    let twice = if second > 36 { 8_731 } else { 0 };
    let two = second.clamp(15, 36).saturating_sub(15) * 12_000;
    let one = (second.saturating_sub(3) * 13_500).min(all_sent.saturating_sub(two) + twice);
    push("producer", 0, 600, all_sent, &sent);
    push("app-1", 3, 600, one, &processed);
    push("app-2", 15, 36, two, &processed);
    let live = if (15..=36).contains(&second) { 2 } else { 1 };
    let (all_sent, done) = (i128::from(all_sent), i128::from(one + two));
    let audit = |part: &str| series(&format!(r#"quipu_audit_{part}{{audit="records"}}"#));
    let aggregates = vec![
        aggregate(&sent, Total::Counter(all_sent), now, 1),
        aggregate(&processed, Total::Counter(done), now, live),
        aggregate(&audit("sent"), Total::Counter(all_sent), now, 1),
        aggregate(&audit("processed"), Total::Counter(done), now, live),
        aggregate(&audit("delta"), Total::Delta(done - all_sent), now, 1 + live),
        aggregate(&series("quipu_records_total"), Total::Counter(i128::from(second * 3)), now, 1),
        aggregate(&series(r#"quipu_bad_records_total{reason="not_utf8"}"#), Total::Counter(2), now, 1),
    ];
    batches.push(Batch::Records { topic: Topic::Metrics, records: metrics });
    batches.push(Batch::Records { topic: Topic::Aggregates, records: aggregates });
    if second.is_multiple_of(2) {
        let offset = now % 1_000_000_000 / 100;
        let group = |group: &str, topic, behind: i64| GroupOffset {
            group: group.to_owned(),
            topic,
            committed: Some((offset - behind).max(0)),
        };
        batches.push(Batch::Lag(LagReport {
            log_ends: vec![(Topic::Metrics, offset), (Topic::Aggregates, offset)],
            groups: vec![
                group("quipu", Topic::Metrics, 3),
                group("quipu-sink-carbon", Topic::Aggregates, 120),
                group("quipu-sink-influx", Topic::Aggregates, 0),
            ],
        }));
    }
    batches
}

/// Returns the batches of a second in which `count` series changed.
pub(crate) fn load(start: i64, second: u64, count: u64) -> Vec<Batch> {
    let now = start + i64::try_from(second).unwrap_or(0) * 1_000;
    let total = |index: u64| {
        let series = series(&format!(r#"requests_total{{path="/item/{index:05}",method="GET"}}"#));
        aggregate(&series, Total::Counter(i128::from(index * second)), now, 3)
    };
    let records: Vec<RawRecord> = (0..count).map(total).collect();
    let batch = |records: &[RawRecord]| Batch::Records { topic: Topic::Aggregates, records: records.to_vec() };
    let mut batches = if second == 0 { caught_up() } else { Vec::new() };
    batches.extend(records.chunks(1_000).map(batch));
    batches
}
