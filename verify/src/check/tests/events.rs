//! Logs of programs that begin, fall silent, expire and come back, by clocks that may be wrong.

use proptest::prelude::*;
use quipu_record::ForgetSeries;
use rdkafka::Timestamp;
use uuid::Uuid;

use super::records::NAMES;
use super::topics::{BEGIN, Topics, report, with_parts};
use super::{OTHER, RUN};

/// Two parts of a run; runs that began at other times, one of them two hours too late; a run without a time.
const RUNS: [&str; 8] = [
    RUN,
    "app-1/01920000-0000-7000-8000-000000000001/1",
    OTHER,
    "app-3/01920001-86a0-7000-8000-000000000003",
    "app-4/01920002-0000-7000-8000-000000000004",
    "app-4/01920002-0000-7000-8000-000000000004/1",
    "app-5/01920070-0000-7000-8000-000000000005",
    "app-6/f47ac10b-58cc-4372-a567-0e02b2c3d479",
];
const PLAIN: [&str; 3] = ["k", "l", "m"];

/// A record, and how it comes about.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// The time since the record before, in ms.
    gap: i64,
    /// Whether the time is the writer's.
    is_create_time: bool,
    draft: Draft,
}

#[derive(Debug, Clone)]
enum Draft {
    Tombstone {
        key: usize,
    },
    Garbage {
        key: usize,
    },
    Forget {
        name: usize,
    },
    /// What a run reports: most often more than before.
    Report {
        key: usize,
        behind: u64,
        growth: Vec<u64>,
        parts: u32,
        is_final: bool,
    },
    Plain {
        key: usize,
        name: usize,
        count: u64,
        timestamp: Option<i64>,
        start: Option<i64>,
        is_baseline: bool,
        expires: bool,
    },
}

pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    let gap = prop_oneof![
        2 => Just(0_i64),
        1 => -5000..0_i64,
        6 => 0..2000_i64,
        2 => 2000..30_000_i64,
        1 => 30_000..120_000_i64,
    ];
    let key = || 0..RUNS.len() + PLAIN.len();
    let growth = || prop::collection::vec(0..4_u64, 1..=NAMES.len());
    let report =
        (0..RUNS.len(), growth(), prop_oneof![4 => Just(0), 1 => 1..4_u64], 0..3_u32, prop::bool::weighted(0.3));
    let report = report.prop_map(|(key, growth, behind, parts, is_final)| Draft::Report {
        key,
        behind,
        growth,
        parts,
        is_final,
    });
    // One program counts one series in most of the records, and its starts come close to the records' times.
    let name = prop_oneof![12 => Just(0_usize), 1 => 0..NAMES.len()];
    let start = prop::option::of(prop_oneof![6 => -20..60_i64, 1 => Just(10_000_i64)]);
    let timestamp = prop::option::of(-20..60_i64);
    let plain =
        (0..PLAIN.len(), name, 0..12_u64, timestamp, start, prop::bool::weighted(0.15), prop::bool::weighted(0.6));
    let plain = plain.prop_map(|(key, name, count, timestamp, start, is_baseline, expires)| {
        let name = (name + key) % NAMES.len();
        Draft::Plain { key, name, count, timestamp, start, is_baseline, expires }
    });
    let draft = prop_oneof![
        1 => key().prop_map(|key| Draft::Tombstone { key }),
        1 => key().prop_map(|key| Draft::Garbage { key }),
        1 => (0..NAMES.len()).prop_map(|name| Draft::Forget { name }),
        12 => report,
        8 => plain,
    ];
    let event = (gap, prop::bool::weighted(0.1), draft);
    let event = event.prop_map(|(gap, is_create_time, draft)| Event { gap, is_create_time, draft });
    prop::collection::vec(event, 1..80)
}

/// Writes the record of an event.
pub(super) fn push(topics: &mut Topics, events: &Event) {
    let Event { gap, is_create_time, draft } = events;
    topics.now += gap;
    let now = topics.now;
    let timestamp = if *is_create_time { Timestamp::CreateTime(now) } else { Timestamp::LogAppendTime(now) };
    let any = |key: usize| RUNS.iter().chain(&PLAIN).nth(key).copied().unwrap_or("k").as_bytes().to_vec();
    let (key, value) = match draft {
        Draft::Tombstone { key } => (any(*key), None),
        Draft::Garbage { key } => (any(*key), Some(b"?".to_vec())),
        Draft::Forget { name } => {
            let id = Uuid::from_u128(topics.log.len() as u128);
            let series = NAMES[*name].parse().expect("a series");
            (ForgetSeries::key(id), Some(ForgetSeries { series }.to_json()))
        }
        Draft::Report { key, behind, growth, parts, is_final } => {
            let key = RUNS[*key];
            let before = topics.log.iter().filter(|entry| entry.key == key.as_bytes()).count() as u64;
            let seq = before.saturating_sub(*behind);
            let counters: Vec<_> =
                growth.iter().enumerate().map(|(at, more)| (NAMES[at], 2 * seq + more % 3)).collect();
            let has_parts = RUNS.iter().any(|other| *other != key && other.get(..50) == key.get(..50));
            let parts = if has_parts && *parts == 1 { 2 } else { *parts };
            (key.as_bytes().to_vec(), Some(with_parts(&report(key, seq, &counters), parts, *is_final)))
        }
        Draft::Plain { key, name, count, timestamp, start, is_baseline, expires } => {
            let time = |field: &str, at: Option<i64>| {
                at.map(|at| format!(r#","{field}":{}"#, BEGIN + 1000 * at)).unwrap_or_default()
            };
            let (timestamp, start) = (time("timestamp", *timestamp), time("start", *start));
            let json = format!(
                r#"{{"name":"{}","count":{count},"baseline":{is_baseline},"expires":{expires}{timestamp}{start}}}"#,
                NAMES[*name]
            );
            (PLAIN[*key].as_bytes().to_vec(), Some(json.into_bytes()))
        }
    };
    topics.push_at(timestamp, &key, value);
}
