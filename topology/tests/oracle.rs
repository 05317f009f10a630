//! The topology against a plain oracle, over random logs.
//!
//! The oracle knows nothing of changes, groups or numbers for series: it folds the log into a map of rows and adds up.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quipu_record::{Millis, Offset, Total};
use quipu_testkit::fold::{Declared, FIRST_RUN, LogRecord, Logged, SERIES, plain_key, run_key};
use quipu_testkit::oracle::Oracle;
use quipu_topology::{Amount, Audit, Explained, Explanation, PartSum, Retention, Settings, SourceRecord, Topology};

const TIMEOUT_MS: i64 = 30_000;
const REFRESH_MS: i64 = 60_000;
/// The clock when a log begins: a little after run 0 began, by the time in its id.
const START_MS: i64 = FIRST_RUN.0 + 10_000;
const OFF: Retention = Retention { runs: None, finished: None };
const SHORT: Retention = Retention { runs: Some(Millis(120_000)), finished: Some(Millis(20_000)) };

/// (count, live instances) of every series that has a total.
fn totals(oracle: &Oracle, now: i64) -> BTreeMap<String, (i128, u64)> {
    let counts = oracle.totals().into_iter();
    let mut totals: BTreeMap<_, _> = counts.map(|(series, count)| (SERIES[series].to_owned(), (count, 0))).collect();
    for row in oracle.rows.values().filter(|row| !row.is_final && row.last_seen >= now - TIMEOUT_MS) {
        for series in row.counters.keys().filter(|series| row.contribution(**series).is_some()) {
            totals.get_mut(SERIES[*series]).expect("a total").1 += 1;
        }
    }
    totals
}

fn folded<'a>(retention: Retention, log: impl IntoIterator<Item = &'a Logged>) -> Oracle {
    Oracle::with_retention((retention.runs.map(|ms| ms.0), retention.finished.map(|ms| ms.0)), log)
}

/// What an outsider knows who reads everything that was published.
#[derive(Debug, Default)]
struct Outsider {
    counters: BTreeMap<String, (i128, u64)>,
    derived: BTreeMap<String, i128>,
    newest: BTreeMap<String, Millis>,
    published_at: BTreeMap<String, i64>,
}

impl Outsider {
    fn read(&mut self, topology: &mut Topology, now: i64, may_fall: bool) {
        let offset = topology.position().previous();
        for aggregate in topology.take_aggregates(Millis(now)) {
            let key = aggregate.series.to_string();
            assert_eq!(aggregate.offset, offset, "{key} is true as of the position");
            let newest = self.newest.insert(key.clone(), aggregate.timestamp);
            assert!(newest.is_none_or(|before| before <= aggregate.timestamp), "{key}: time went back");
            self.published_at.insert(key.clone(), now);
            let count = match aggregate.total {
                Total::Counter(count) => {
                    assert!(count >= 0, "{key} is negative");
                    count
                }
                Total::Delta(count) => count,
            };
            if key.starts_with("quipu_audit_") {
                self.derived.insert(key, count);
                continue;
            }
            let before = self.counters.insert(key.clone(), (count, aggregate.instances));
            if let Some((before, _)) = before {
                assert!(may_fall || before <= count, "{key} went back from {before} to {count}");
            }
        }
    }

    /// Expects that the parts of each total add up to it, and that the rows are those of the oracle.
    fn expect_parts(&self, topology: &mut Topology, oracle: &Oracle, limit: usize) {
        for (number, series) in SERIES.iter().enumerate() {
            let parsed = series.parse().expect("a series");
            let explained = std::iter::repeat_with(|| topology.explain(&parsed, 2, limit));
            let explained = explained.into_iter().find(|explained| *explained != Explained::Scanning);
            let expected = oracle.rows.values().filter_map(|row| row.contribution(number));
            let mut expected: Vec<i128> = expected.collect();
            expected.sort_unstable_by(|a, b| b.cmp(a));
            match (explained, self.counters.get(*series)) {
                (Some(Explained::Done(explanation)), Some((total, _))) => {
                    expect_sum(&explanation, *total);
                    assert_eq!(explanation.position, topology.position());
                    assert_eq!(u64::try_from(expected.len()).ok(), Some(rows(&explanation)), "{series}");
                    expected.truncate(limit);
                    assert_eq!(explanation.parts.iter().map(|part| count(part.amount)).collect::<Vec<_>>(), expected);
                }
                (Some(Explained::NoTotal), None | Some((0, _))) => assert_eq!(expected, [], "{series}"),
                (explained, total) => panic!("{series}: {total:?} is explained by {explained:?}"),
            }
        }
    }

    fn expect(&self, oracle: &Oracle, now: i64) {
        let expected = totals(oracle, now);
        for (series, found) in &self.counters {
            assert_eq!(found, expected.get(series).unwrap_or(&(0, 0)), "{series}");
        }
        for series in expected.keys() {
            assert!(self.counters.contains_key(series), "{series} was never published");
            assert!(now - self.published_at[series] < REFRESH_MS, "{series} was not published again");
        }
        let total = |series: &str| expected.get(series).map_or(0, |(count, _)| *count);
        let (sent, done) = (total(SERIES[0]), total(SERIES[1]) + total(SERIES[2]));
        for (series, found) in &self.derived {
            let expected = match series.as_str() {
                r#"quipu_audit_sent{audit="all"}"# => sent,
                r#"quipu_audit_processed{audit="all"}"# => done,
                r#"quipu_audit_delta{audit="all"}"# => done - sent,
                other => panic!("unexpected {other}"),
            };
            assert_eq!(*found, expected, "{series}");
        }
        if sent > 0 || done > 0 {
            assert_eq!(self.derived.len(), 3, "the audit was never published");
        }
    }
}

fn count(amount: Amount) -> i128 {
    let Amount::Counter(count) = amount;
    count
}

/// How many rows of the table contribute.
fn rows(explanation: &Explanation) -> u64 {
    explanation.parts.len() as u64 + explanation.omitted.rows
}

/// Expects that all parts add up to the total.
fn expect_sum(explanation: &Explanation, total: i128) {
    let Explanation { parts, omitted, retired, .. } = explanation;
    let sum = parts.iter().map(|part| count(part.amount)).sum::<i128>() + count(omitted.amount) + count(retired.amount);
    assert_eq!((sum, count(explanation.total)), (total, total), "{explanation:?}");
    assert!([omitted, retired].iter().all(|PartSum { rows, amount }| *rows > 0 || count(*amount) == 0));
}

fn topology(retention: Retention) -> Topology {
    Topology::new(Settings {
        instance_timeout: Millis(TIMEOUT_MS),
        refresh_interval: Millis(REFRESH_MS),
        max_rows: 1000,
        max_series: 1000,
        retention,
        audits: vec![Audit {
            name: "all".to_owned(),
            sent: "sent".parse().expect("a selector"),
            processed: "done".parse().expect("a selector"),
        }],
    })
}

/// Applies the record at `offset`, and returns whether it was bad.
fn process(topology: &mut Topology, offset: usize, logged: &Logged, now: i64) -> bool {
    let (key, value) = (logged.record.key_bytes(), logged.record.value());
    let record = SourceRecord {
        offset: Offset(i64::try_from(offset).expect("a small offset")),
        timestamp: Some(Millis(logged.timestamp)),
        is_append_time: true,
        key: Some(&key),
        value: value.as_deref().map(str::as_bytes),
    };
    topology.process(&record, Millis(now)).is_err()
}

/// What happens in one step of a schedule. Counts and sequence numbers grow with the step, give or take some slack, so
/// that most records follow their predecessors and some do not.
#[derive(Debug, Clone)]
enum Step {
    Report { run: usize, part: usize, parts: u32, seq_slack: u64, is_final: bool, series: Vec<usize>, slack: Vec<u64> },
    Plain { key: usize, moves: bool, count: u64, timestamp: Option<i64>, declared: Declared },
    Tombstone { run: bool, key: usize },
    Forget(usize),
    Bad { run: bool, key: usize, value: &'static str },
    Commit,
    Replay(prop::sample::Index),
    Rebuild,
    Compact,
    Wait(i64),
}

impl Step {
    fn record(&self, step: u64) -> Option<LogRecord> {
        let any_key = |run: bool, key: usize| if run { run_key(key, 0) } else { plain_key(key) };
        Some(match self {
            Self::Report { run, part, parts, seq_slack, is_final, series, slack } => LogRecord::Report {
                run: *run,
                part: *part,
                parts: (*parts).max(u32::try_from(*part).expect("small") + 1),
                seq: step + seq_slack,
                is_final: *is_final,
                counters: series.iter().zip(slack).map(|(series, slack)| (*series, step * 2 + slack)).collect(),
            },
            Self::Plain { key, moves, count, timestamp, declared } => LogRecord::Plain {
                key: *key,
                series: if *moves { key + 1 } else { *key },
                count: *count,
                timestamp: *timestamp,
                declared: *declared,
            },
            Self::Tombstone { run, key } => LogRecord::Tombstone { key: any_key(*run, *key) },
            Self::Forget(series) => LogRecord::Forget { id: step.into(), series: *series },
            Self::Bad { run, key, value } => LogRecord::Bad { key: any_key(*run, *key), value },
            _ => return None,
        })
    }
}

/// Starts are in seconds since 1970, as the timestamps are, so that they are often before those.
fn declared() -> impl Strategy<Value = Declared> {
    (prop::option::of(0..5i64), prop::bool::weighted(0.1), any::<bool>())
        .prop_map(|(start, is_baseline, expires)| Declared { start, is_baseline, expires })
}

fn step() -> impl Strategy<Value = Step> {
    let series = prop_oneof![
        6 => (1..=SERIES.len()).prop_map(|most| (0..most).collect()),
        1 => prop::collection::vec(0..SERIES.len(), 0..4),
        1 => Just((0..SERIES.len()).rev().collect()),
    ];
    let report = (
        0..6usize,
        0..2usize,
        1..3u32,
        0..4u64,
        prop::bool::weighted(0.1),
        series,
        prop::collection::vec(0..6u64, SERIES.len()),
    );
    let bad = prop::sample::select(vec!["", "{", "[]", r#"{"name":"done","count":-1}"#, r#"{"v":7,"counters":[]}"#]);
    prop_oneof![
        10 => report.prop_map(|(run, part, parts, seq_slack, is_final, series, slack)| Step::Report { run, part, parts, seq_slack, is_final, series, slack }),
        6 => (0..3usize, prop::bool::weighted(0.1), 0..20u64, prop::option::of(0..4i64), declared())
            .prop_map(|(key, moves, count, timestamp, declared)| Step::Plain { key, moves, count, timestamp, declared }),
        1 => (0..SERIES.len()).prop_map(Step::Forget),
        1 => (any::<bool>(), 0..3usize).prop_map(|(run, key)| Step::Tombstone { run, key }),
        1 => (any::<bool>(), 0..3usize, bad).prop_map(|(run, key, value)| Step::Bad { run, key, value }),
        4 => Just(Step::Commit),
        1 => any::<prop::sample::Index>().prop_map(Step::Replay),
        1 => Just(Step::Rebuild),
        1 => Just(Step::Compact),
        3 => (1..40_000i64).prop_map(Step::Wait),
    ]
}

/// Keeps of each key the last record only, as compaction does.
fn compact(log: &mut [Option<Logged>]) {
    let mut seen = BTreeSet::new();
    for slot in log.iter_mut().rev() {
        if slot.as_ref().is_some_and(|logged| !seen.insert(logged.record.key())) {
            *slot = None;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn totals_are_those_of_the_oracle(steps in prop::collection::vec(step(), 1..120), expires in any::<bool>()) {
        let retention = if expires { SHORT } else { OFF };
        let mut now = START_MS;
        // The log as it is, and all that was ever logged: what the oracle folds.
        let mut log: Vec<Option<Logged>> = Vec::new();
        let mut all: Vec<Logged> = Vec::new();
        let mut topology = self::topology(retention);
        let mut outsider = Outsider::default();
        let mut bad = 0;
        let mut may_fall = false;
        for (number, step) in (0..).zip(&steps) {
            if let Some(record) = step.record(number) {
                // Records come a little out of the order of their time.
                let timestamp = now - i64::try_from(number % 3).expect("small") * 700;
                may_fall |= matches!(record, LogRecord::Tombstone { .. } | LogRecord::Forget { .. });
                let logged = Logged { timestamp, record };
                bad += usize::from(process(&mut topology, log.len(), &logged, now));
                log.push(Some(logged.clone()));
                all.push(logged);
            }
            match step {
                Step::Commit => {
                    outsider.read(&mut topology, now, may_fall);
                    let oracle = folded(retention, &all);
                    outsider.expect(&oracle, now);
                    outsider.expect_parts(&mut topology, &oracle, steps.len() % 6);
                    prop_assert_eq!(topology.rows(), oracle.rows.len());
                    prop_assert_eq!(topology.markers(), oracle.markers());
                    prop_assert_eq!(bad, oracle.bad);
                    may_fall = false;
                }
                // What stands between here and the last commit is read again, and changes nothing.
                // With retention, records are committed in the transaction of the position, and never read again.
                Step::Replay(index) if !log.is_empty() && !expires => {
                    for (offset, logged) in log.iter().enumerate().skip(index.index(log.len())) {
                        if let Some(logged) = logged {
                            process(&mut topology, offset, logged, now);
                        }
                    }
                }
                // Another machine, with nothing but the log: the same totals, as a function of what the log has now.
                Step::Rebuild => {
                    let mut rebuilt = self::topology(retention);
                    for (offset, logged) in log.iter().enumerate() {
                        if let Some(logged) = logged {
                            process(&mut rebuilt, offset, logged, now);
                        }
                    }
                    let mut fresh = Outsider::default();
                    fresh.read(&mut rebuilt, now, true);
                    let of_log = folded(retention, log.iter().flatten());
                    fresh.expect(&of_log, now);
                    // Where compaction took nothing that counts, that other machine may go on in place of the first.
                    if of_log == folded(retention, &all) {
                        outsider.read(&mut topology, now, may_fall);
                        may_fall = false;
                        topology = self::topology(retention);
                        for (offset, logged) in log.iter().enumerate() {
                            if let Some(logged) = logged {
                                process(&mut topology, offset, logged, now);
                            }
                        }
                    }
                }
                Step::Compact => compact(&mut log),
                Step::Wait(ms) => now += ms,
                _ => {}
            }
            now += 10;
        }
    }

    /// Records that are applied while the rows are scanned are in the parts, too.
    #[test]
    fn parts_are_those_of_the_position_at_the_end_of_the_scan(
        steps in prop::collection::vec(step(), 20..120),
        began in any::<prop::sample::Index>(),
        series in 0..SERIES.len(),
    ) {
        let (mut topology, mut outsider) = (self::topology(SHORT), Outsider::default());
        let (mut now, began) = (START_MS, began.index(steps.len()));
        let series = SERIES[series].parse().expect("a series");
        for (number, step) in (0..).zip(&steps) {
            if let Some(record) = step.record(number) {
                let offset = usize::try_from(number).expect("small");
                process(&mut topology, offset, &Logged { timestamp: now, record }, now);
            }
            match step {
                Step::Commit => outsider.read(&mut topology, now, true),
                Step::Wait(ms) => now += ms,
                _ => {}
            }
            if number >= began as u64
                && let Explained::Done(explanation) = topology.explain(&series, 1, 3)
            {
                outsider.read(&mut topology, now, true);
                expect_sum(&explanation, outsider.counters[&series.to_string()].0);
                prop_assert_eq!(explanation.position, topology.position());
            }
        }
    }

    /// Of runs that keep to the contract, a compacted log gives the same as the whole one.
    #[test]
    fn compaction_changes_no_total_of_runs(reports in prop::collection::vec((0..6usize, 0..2usize, 0..5u64), 1..60), at in any::<prop::sample::Index>()) {
        let mut log: Vec<Option<Logged>> = Vec::new();
        for (number, (run, part, slack)) in (0..).zip(reports) {
            let counters = [(part, number * 5 + slack)].into();
            let parts = u32::try_from(part).expect("small") + 1;
            let record = LogRecord::Report { run, part, parts, seq: number, is_final: false, counters };
            log.push(Some(Logged { timestamp: 0, record }));
        }
        let whole = totals(&log.iter().flatten().collect(), 0);
        let behind = at.index(log.len() + 1);
        compact(&mut log[..behind]);
        let mut topology = topology(OFF);
        for (offset, logged) in log.iter().enumerate() {
            if let Some(logged) = logged {
                process(&mut topology, offset, logged, 0);
            }
        }
        let mut found = BTreeMap::new();
        for aggregate in topology.take_aggregates(Millis(0)) {
            let (Total::Counter(count) | Total::Delta(count)) = aggregate.total;
            found.insert(aggregate.series.to_string(), (count, aggregate.instances));
        }
        found.retain(|series, _| !series.starts_with("quipu_audit_"));
        prop_assert_eq!(found, whole);
    }
}
