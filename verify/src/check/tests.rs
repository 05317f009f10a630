use proptest::prelude::*;
use quipu_aggregator::config::Audit;
use quipu_aggregator::{Settings, SourceRecord, Topology};
use quipu_record::AggregateType;

use super::*;

const RUN: &str = "app-1/01920000-0000-7000-8000-000000000001";
const OTHER: &str = "app-2/01920000-0000-7000-8000-000000000002";

type Entry = (i64, String, Option<Vec<u8>>);

/// What is on the three topics.
#[derive(Debug, Clone, Default)]
struct Topics {
    log: Vec<Entry>,
    changelog: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    aggregates: Vec<Aggregate>,
    committed: Option<i64>,
    /// Where the log ends, if not behind its last record.
    end: Option<i64>,
    audits: Vec<Audit>,
}

impl Topics {
    fn plain(&mut self, key: &str, series: &str, count: u64) -> &mut Self {
        self.push(key, Some(format!(r#"{{"name":"{series}","count":{count}}}"#).into_bytes()))
    }

    fn report(&mut self, key: &str, seq: u64, counters: &[(&str, u64)]) -> &mut Self {
        self.push(key, Some(report(key, seq, counters)))
    }

    fn push(&mut self, key: &str, value: Option<Vec<u8>>) -> &mut Self {
        let offset = self.log.last().map_or(0, |(offset, ..)| offset + 1);
        self.log.push((offset, key.to_owned(), value));
        self
    }

    fn says(&mut self, series: &str, count: i128, offset: i64) -> &mut Self {
        let series = series.parse().expect("a series");
        let kind = AggregateType::Counter;
        self.aggregates.push(Aggregate { series, kind, count, timestamp: 1, offset, instances: 1 });
        self
    }

    /// Lets the aggregator read the whole log and takes the changelog that it writes.
    fn with_changelog(&mut self) -> &mut Self {
        let mut topology = topology(&self.audits);
        for entry in &self.log {
            process(&mut topology, entry);
        }
        topology.take_rows(|key, value| self.changelog.push((key.into(), value)));
        self
    }

    fn without(&mut self, lost: &[i64]) -> &mut Self {
        self.log.retain(|(offset, ..)| !lost.contains(offset));
        self
    }

    fn snapshot(&self) -> (Names, Snapshot) {
        let (mut names, mut snapshot) = (Names::default(), Snapshot::default());
        for (key, value) in &self.changelog {
            snapshot.see(key, value.as_deref(), &mut names).expect("a row");
        }
        (names, snapshot)
    }

    fn verify(&self) -> Report {
        let (names, snapshot) = self.snapshot();
        let mut said = Said::default();
        for aggregate in &self.aggregates {
            said.see(Some(aggregate.series.to_string().as_bytes()), Some(&aggregate.to_json()));
        }
        let config = Config { audits: self.audits.clone(), ..Config::default() };
        let mut check = Check::new(names, snapshot, self.committed, said, &config);
        let end = self.end.unwrap_or(self.log.last().map_or(0, |(offset, ..)| offset + 1));
        check.set_log(self.log.first().map_or(0, |(offset, ..)| *offset), end);
        let until = check.until().unwrap_or(-1);
        for (offset, key, value) in self.log.iter().filter(|(offset, ..)| *offset <= until) {
            check.record(*offset, Some(key.as_bytes()), value.as_deref());
        }
        check.finish()
    }

    #[track_caller]
    fn check(&self, by_log: usize, with_changelog: usize, differences: &[Problem]) {
        let report = self.verify();
        let problems: Vec<_> = report.differences.iter().map(|difference| difference.problem).collect();
        assert_eq!(
            (report.by_log, report.with_changelog, &*problems),
            (by_log, with_changelog, differences),
            "{report:#?}"
        );
    }
}

fn report(key: &str, seq: u64, counters: &[(&str, u64)]) -> Vec<u8> {
    let (instance, rest) = key.split_once('/').expect("a run's key");
    let run = rest.split('/').next().expect("a run");
    let counters: Vec<_> =
        counters.iter().map(|(name, value)| format!(r#"{{"name":"{name}","value":{value}}}"#)).collect();
    let counters = counters.join(",");
    format!(r#"{{"v":1,"instance":"{instance}","run":"{run}","at":1,"seq":{seq},"interval_ms":1000,"counters":[{counters}]}}"#)
        .into_bytes()
}

fn topology(audits: &[Audit]) -> Topology {
    Topology::new(Settings {
        instance_timeout_ms: 1_000_000,
        refresh_interval_ms: 1_000_000,
        max_rows: 1000,
        max_series: 1000,
        audits: audits.to_vec(),
    })
}

fn process(topology: &mut Topology, (offset, key, value): &Entry) {
    let record =
        SourceRecord { offset: *offset, timestamp: Some(1), key: Some(key.as_bytes()), value: value.as_deref() };
    // Whether it is bad, the totals say.
    let _ = topology.process(&record, 1);
}

#[test]
fn each_total_is_compared_at_the_offset_that_it_carries() {
    let mut topics = Topics::default();
    topics.report(RUN, 0, &[("a", 1), ("b", 7)]).plain("k", "a", 5).report(RUN, 1, &[("a", 3), ("b", 7)]);
    topics.says("b", 7, 0).says("a", 8, 2);
    topics.check(2, 0, &[]);
    topics.says("a", 6, 1).check(2, 0, &[]);
    topics.says("a", 8, 1);
    let report = topics.verify();
    let difference = &report.differences[0];
    assert_eq!((difference.problem, &*difference.name), (Problem::Total, "a"));
    assert_eq!((difference.expected, difference.found, difference.offset), (Some(6), Some(8), Some(1)));
}

#[test]
fn bad_and_stale_records_and_restarts_are_judged_as_the_contract_says() {
    let mut topics = Topics::default();
    topics.report(RUN, 5, &[("a", 10)]);
    topics.report(RUN, 4, &[("a", 20)]); // stale
    topics.report(RUN, 6, &[("a", 9)]); // went back
    topics.report(RUN, 6, &[("b", 9)]); // vanished
    topics.report(RUN, 6, &[("a", 11), ("a", 12)]); // twice
    topics.report(RUN, 6, &[("a", 11), ("quipu_audit_x", 1)]); // reserved
    topics.push(RUN, Some(b"{}".to_vec())); // no report
    topics.push(RUN, Some(report(OTHER, 9, &[("a", 99)]))); // another's
    topics.plain("k", "a", 100).plain("k", "b", 300).plain("k", "a", 30); // a restart, after a change of the series
    topics.says("a", 10 + 130, 10);
    topics.check(1, 0, &[]);
    topics.push("k", None).says("a", 10, 11).check(1, 0, &[]);
}

#[test]
fn a_restart_with_a_timestamp_that_is_not_newer_is_stale() {
    let plain = |count: u64, timestamp: i64| {
        Some(format!(r#"{{"name":"a","count":{count},"timestamp":{timestamp}}}"#).into_bytes())
    };
    let mut topics = Topics::default();
    topics.push("k", plain(10, 1_718_900_012)).push("k", plain(3, 1_718_900_012)).push("k", plain(4, 1_718_900_013));
    topics.says("a", 10, 1).check(1, 0, &[]);
    topics.says("a", 14, 2).check(1, 0, &[]);
}

#[test]
fn a_total_that_was_not_said_again_and_one_that_was_never_said_are_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 1).plain("l", "b", 1).plain("k", "a", 2).with_changelog();
    topics.says("a", 1, 0).check(0, 0, &[Problem::Missing, Problem::Stale]);
    topics.says("a", 2, 2).says("b", 1, 1).check(2, 0, &[]);
}

#[test]
fn offsets_that_the_log_does_not_have_are_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 1).says("a", 1, 7).check(0, 0, &[Problem::BeyondLog]);
}

#[test]
fn rows_whose_records_expired_come_from_the_changelog() {
    let mut topics = Topics::default();
    topics.report(RUN, 0, &[("a", 10)]).plain("k", "b", 5).plain("k", "b", 2).plain("l", "c", 1).plain("m", "d", 4);
    topics.says("a", 10, 0).says("b", 7, 2).says("c", 1, 3).says("d", 4, 4);
    topics.check(4, 0, &[]);
    topics.with_changelog().without(&[0, 1]);
    // The changelog has the row of `a`, and the base of `b`.
    topics.check(2, 2, &[]);
    topics.says("b", 2, 2).check(2, 1, &[Problem::Total]);
    topics.changelog.clear();
    let report = topics.verify();
    assert!(report.says_nothing() && report.unanswered.len() == 4, "{report:#?}");
}

#[test]
fn a_record_that_a_later_bad_one_hid_comes_from_the_changelog() {
    let mut topics = Topics::default();
    topics.report(RUN, 3, &[("a", 10)]).report(RUN, 1, &[("a", 4)]).plain("k", "b", 1).plain("k", "b", 2);
    topics.says("a", 10, 3).says("b", 2, 3).with_changelog();
    topics.check(2, 0, &[]);
    // Compaction keeps the stale one, and what comes after it is new.
    topics.without(&[0]).check(1, 1, &[]);
    topics.report(RUN, 2, &[("a", 5)]).report(RUN, 4, &[("a", 12)]);
    topics.says("a", 10, 4).check(1, 1, &[]);
    topics.says("a", 12, 5).check(1, 1, &[]);
    topics.says("a", 5, 4).check(1, 0, &[Problem::Total]);
}

#[test]
fn a_row_of_the_changelog_that_is_not_what_the_log_says_is_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 5).plain("k", "a", 2).says("a", 7, 1);
    let mut other = Topics::default();
    other.plain("k", "a", 4).plain("k", "a", 2).with_changelog();
    topics.changelog = other.changelog.clone();
    topics.check(1, 0, &[Problem::Row]);
    // Without the first record nobody but the changelog knows the base, but the count is on the log.
    topics.without(&[0]).says("a", 6, 1).check(0, 1, &[]);
    other = Topics::default();
    other.plain("k", "a", 4).plain("k", "a", 3).with_changelog();
    topics.changelog = other.changelog;
    topics.says("a", 2, 1).check(1, 0, &[Problem::Row]);
}

#[test]
fn a_tombstone_outlives_what_it_removed() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 5).plain("l", "a", 1).push("k", None).plain("k", "a", 2).plain("l", "a", 3);
    topics.says("a", 5, 4).with_changelog().check(1, 0, &[]);
    topics.without(&[0, 1]).check(1, 0, &[]);
    topics.changelog.clear();
    assert_eq!(topics.verify().unanswered.len(), 1);
}

#[test]
fn audits_are_compared_with_their_sides_or_at_least_with_themselves() {
    let audit = |name: &str| Audit {
        name: name.to_owned(),
        sent: "sent".parse().expect("a selector"),
        processed: r#"done{topic="x"}"#.parse().expect("a selector"),
    };
    let mut topics = Topics::default();
    topics.plain("s", "sent", 10);
    for (key, labels) in
        [("p", r#"{"topic":"x","on":"1"}"#), ("q", r#"{"topic":"x","on":"2"}"#), ("r", r#"{"topic":"y"}"#)]
    {
        topics.push(key, Some(format!(r#"{{"name":"done","labels":{labels},"count":6}}"#).into_bytes()));
    }
    topics.says("sent", 10, 0).says(r#"done{on="1",topic="x"}"#, 6, 1).says(r#"done{on="2",topic="x"}"#, 6, 2);
    topics.says(r#"done{topic="y"}"#, 6, 3);
    topics.says(r#"quipu_audit_sent{audit="x"}"#, 10, 2).says(r#"quipu_audit_processed{audit="x"}"#, 12, 2);
    topics.says(r#"quipu_audit_delta{audit="x"}"#, 2, 2);
    let report = topics.verify();
    assert_eq!((report.by_log, report.unanswered.len(), report.differences.len()), (5, 2, 0), "{report:#?}");
    topics.audits = vec![audit("x")];
    topics.check(7, 0, &[]);
    topics.says(r#"quipu_audit_sent{audit="x"}"#, 11, 2).check(6, 0, &[Problem::Total]);
    topics.audits.clear();
    topics.check(4, 0, &[Problem::Total]);
    topics.audits = vec![audit("x"), audit("y")];
    topics.with_changelog().check(6, 0, &[Problem::Total, Problem::Missing, Problem::Missing, Problem::Missing]);
}

#[test]
fn a_record_that_is_no_aggregate_and_one_under_anothers_key_are_found() {
    let mut said = Said::default();
    let mut topics = Topics::default();
    topics.says("a", 1, 0);
    let json = topics.aggregates[0].to_json();
    said.see(Some(b"a"), Some(&json));
    said.see(Some(b"b"), Some(&json));
    said.see(Some(b"c"), Some(b"{}"));
    said.see(Some(b"d"), Some(b"{}"));
    said.see(Some(b"d"), None);
    assert_eq!((said.aggregates.len(), said.unreadable.len()), (1, 2));
    said.see(Some(b"a"), Some(b"{}"));
    assert_eq!((said.aggregates.len(), said.unreadable.len()), (0, 3));
}

const KEYS: [&str; 6] = [RUN, "app-1/01920000-0000-7000-8000-000000000001/1", OTHER, "k", "l", "m"];
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A record as it was meant, before it is bytes.
#[derive(Debug, Clone)]
enum Meant {
    Tombstone,
    Garbage,
    Report { seq: u64, counters: Vec<(&'static str, u64)> },
    Plain { name: &'static str, count: u64, timestamp: Option<i64> },
}

fn counter() -> impl Strategy<Value = (&'static str, u64)> {
    (0..NAMES.len(), 0..8_u64).prop_map(|(name, value)| (NAMES[name], value))
}

fn records() -> impl Strategy<Value = Vec<(usize, Meant)>> {
    let report =
        (0..9_u64, prop::collection::vec(counter(), 0..4)).prop_map(|(seq, counters)| Meant::Report { seq, counters });
    let ordinary = (0..9_u64, 0..12_u64).prop_map(|(seq, value)| Meant::Report { seq, counters: vec![("a", value)] });
    let plain = (counter(), prop::option::of(1_i64..5)).prop_map(|((name, count), timestamp)| Meant::Plain {
        name,
        count,
        timestamp,
    });
    let plain_again = (0..12_u64).prop_map(|count| Meant::Plain { name: "b", count, timestamp: None });
    let meant = prop_oneof![
        1 => Just(Meant::Tombstone),
        1 => Just(Meant::Garbage),
        3 => report,
        4 => ordinary,
        3 => plain,
        4 => plain_again,
    ];
    prop::collection::vec((0..KEYS.len(), meant), 1..60)
}

fn encode((key, meant): &(usize, Meant)) -> (String, Option<Vec<u8>>) {
    let value = match meant {
        Meant::Tombstone => None,
        Meant::Garbage => Some(b"?".to_vec()),
        // Under a plain key it is bad.
        Meant::Report { seq, counters } => Some(report(if *key < 3 { KEYS[*key] } else { RUN }, *seq, counters)),
        Meant::Plain { name, count, timestamp } => {
            let timestamp = timestamp.map(|at| format!(r#","timestamp":{at}"#)).unwrap_or_default();
            Some(format!(r#"{{"name":"{name}","count":{count}{timestamp}}}"#).into_bytes())
        }
    };
    (KEYS[*key].to_owned(), value)
}

/// The totals after these records, by the most plain-minded reading of the contract: nothing is kept between records
/// but what was counted, and the sums are made anew.
fn totals(records: &[(usize, Meant)]) -> BTreeMap<&'static str, i128> {
    let mut runs = BTreeMap::<usize, (u64, BTreeMap<&str, u64>)>::new();
    let mut plain = BTreeMap::<usize, (&str, Vec<u64>, Option<i64>)>::new();
    for (key, meant) in records {
        match meant {
            Meant::Tombstone => {
                runs.remove(key);
                plain.remove(key);
            }
            Meant::Report { seq, counters } if *key < 3 => {
                let new: BTreeMap<_, _> = counters.iter().copied().collect();
                let (last, old) = runs.entry(*key).or_default();
                let grows = old.iter().all(|(name, value)| new.get(name).is_some_and(|new| new >= value));
                if seq >= last && grows && new.len() == counters.len() {
                    (*last, *old) = (*seq, new);
                } else if old.is_empty() && *last == 0 {
                    runs.remove(key);
                }
            }
            Meant::Plain { name, count, timestamp } if *key >= 3 => {
                let (counts, (first, lives, last)) = (*count, plain.entry(*key).or_insert((*name, vec![0], None)));
                let restarted = lives.last().is_some_and(|life| counts < *life);
                let newer = last.is_none() || timestamp.is_none() || *timestamp > *last;
                if name != first || restarted && !newer {
                    continue;
                }
                if restarted {
                    lives.push(0);
                }
                if let Some(life) = lives.last_mut() {
                    *life = counts;
                }
                *last = *timestamp;
            }
            // Bad, or under a key of the other kind.
            Meant::Garbage | Meant::Report { .. } | Meant::Plain { .. } => {}
        }
    }
    let mut totals = BTreeMap::new();
    for (_, counters) in runs.values() {
        for (name, value) in counters {
            *totals.entry(*name).or_default() += i128::from(*value);
        }
    }
    for (name, lives, _) in plain.values() {
        *totals.entry(*name).or_default() += lives.iter().map(|life| i128::from(*life)).sum::<i128>();
    }
    totals
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_is_what_a_plain_minded_reading_of_the_contract_gives(records in records()) {
        let mut fold = Fold::new(Names::default(), Snapshot::default());
        for (at, record) in records.iter().enumerate() {
            let (key, value) = encode(record);
            fold.apply(i64::try_from(at).expect("small"), Some(key.as_bytes()), value.as_deref());
            let expected = totals(&records[..=at]);
            for name in NAMES {
                let sum = fold.sum(&name.parse().expect("a series")).count;
                prop_assert_eq!(sum, expected.get(name).copied().unwrap_or(0), "{} after {}", name, at);
            }
        }
    }

    /// The aggregator's own core says what it would say, a log cleaner and retention take what they may take, and
    /// everything that is asked still has its one right answer.
    #[test]
    fn the_aggregators_totals_agree_whatever_compaction_and_retention_took(
        records in records(),
        commits in prop::collection::vec(any::<bool>(), 60),
        (cleaned, expired) in (0..60_i64, 0..60_i64),
        tombstones in any::<bool>(),
        later_commits in 0..3_usize,
        falsified in any::<prop::sample::Index>(),
    ) {
        let mut topics = Topics::default();
        for record in &records {
            let (key, value) = encode(record);
            topics.push(&key, value);
        }
        let mut topology = topology(&[]);
        let mut changelogs = vec![(0, topics.changelog.clone())];
        for (at, entry) in topics.log.iter().enumerate() {
            process(&mut topology, entry);
            if commits[at] {
                topics.aggregates.extend(topology.take_aggregates(1));
                topology.take_rows(|key, value| topics.changelog.push((key.into(), value)));
                changelogs.push((entry.0 + 1, topics.changelog.clone()));
            }
        }
        prop_assert_eq!(topics.verify().differences, vec![]);

        // The changelog was read some commits before the totals; what may go is what was committed long before.
        let (position, changelog) = changelogs.swap_remove(changelogs.len().saturating_sub(later_commits + 1));
        topics.changelog = changelog;
        topics.committed = Some(position - 1).filter(|committed| *committed >= 0);
        let (cleaned, expired) = (cleaned.min(position), expired.min(position));
        let last = |offset: i64, key: &str| {
            !topics.log.iter().any(|(later, other, _)| *later > offset && *later < cleaned && other == key)
        };
        let kept = |(offset, key, value): &&Entry| {
            *offset >= expired && (*offset >= cleaned || last(*offset, key) && !(tombstones && value.is_none()))
        };
        topics.end = Some(i64::try_from(topics.log.len()).expect("small"));
        topics.log = topics.log.iter().filter(kept).cloned().collect();
        let report = topics.verify();
        prop_assert_eq!(&report.differences, &vec![]);
        // Only a changelog without rows can't help.
        prop_assert!(report.unanswered.is_empty() || topics.snapshot().1.newest().is_none(), "{:#?}", report);

        if !topics.aggregates.is_empty() && report.unanswered.is_empty() {
            let mut wrong = topics.aggregates[falsified.index(topics.aggregates.len())].clone();
            let latest = topics.aggregates.iter().rfind(|latest| latest.series == wrong.series).expect("it is there");
            wrong.count = latest.count + 1;
            wrong.offset = latest.offset;
            topics.aggregates.push(wrong);
            let report = topics.verify();
            prop_assert_eq!(report.differences.len(), 1, "{:#?}", report);
        }
    }
}
