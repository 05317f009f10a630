use proptest::prelude::*;
use quipu_record::{Millis, Total};
use rdkafka::Timestamp;

use super::events::{events, push};
use super::records::{NAMES, encode, records, totals};
use super::topics::{Entry, Topics, process, topology};
use crate::fold::{Fold, LogRecord};
use crate::names::Names;
use crate::retention::Retention;
use crate::snapshot::Snapshot;

/// What happens to the topics after the records were written.
#[derive(Debug, Clone)]
struct Weather {
    /// After which records there is a commit.
    commits: Vec<bool>,
    /// The log is compacted up to this offset, and begins at that one.
    cleaned: i64,
    expired: i64,
    /// Whether compaction removes tombstones, too.
    tombstones: bool,
    /// How many commits came after the changelog was read.
    later_commits: usize,
    falsified: prop::sample::Index,
}

fn weather() -> impl Strategy<Value = Weather> {
    let commits = prop::collection::vec(any::<bool>(), 80);
    let lost = (0..60_i64, prop_oneof![Just(0), 0..60_i64]);
    (commits, lost, any::<bool>(), 0..3_usize, any::<prop::sample::Index>()).prop_map(
        |(commits, (cleaned, expired), tombstones, later_commits, falsified)| Weather {
            commits,
            cleaned,
            expired,
            tombstones,
            later_commits,
            falsified,
        },
    )
}

/// The aggregator's topology publishes the totals of a log. Compaction and retention then remove records that they may
/// remove, and every total that can be checked must still be right.
fn check_after(mut topics: Topics, weather: Weather) -> Result<(), TestCaseError> {
    let mut topology = topology(&[], topics.retention);
    let mut changelogs = vec![(0, topics.changelog.clone())];
    for (entry, commits) in topics.log.clone().iter().zip(weather.commits) {
        process(&mut topology, entry);
        if commits {
            topics.publish_changes(&mut topology);
            topics.commit(&mut topology);
            changelogs.push((entry.offset + 1, topics.changelog.clone()));
        }
    }
    let report = topics.verify();
    prop_assert_eq!(&report.differences, &vec![]);
    prop_assert_eq!((report.expired_otherwise, &report.not_by_log), (false, &vec![]), "{:#?}", report);
    prop_assert!(report.unanswered.is_empty(), "{:#?}", report);

    // The changelog was read some commits before the totals. Only records that were committed before that may be
    // removed.
    let (position, changelog) = changelogs.swap_remove(changelogs.len().saturating_sub(weather.later_commits + 1));
    topics.changelog = changelog;
    let (cleaned, expired) = (weather.cleaned.min(position), weather.expired.min(position));
    let is_last = |entry: &Entry| {
        let newer = |other: &&Entry| other.offset > entry.offset && other.offset < cleaned && other.key == entry.key;
        !topics.log.iter().any(|other| newer(&other))
    };
    let is_kept = |entry: &&Entry| {
        let survives = entry.offset >= cleaned || is_last(entry) && !(weather.tombstones && entry.value.is_none());
        entry.offset >= expired && survives
    };
    topics.end = Some(i64::try_from(topics.log.len()).expect("small"));
    topics.log = topics.log.iter().filter(is_kept).cloned().collect();
    let report = topics.verify();
    prop_assert_eq!(&report.differences, &vec![]);
    prop_assert!(!report.expired_otherwise);
    // A total may be unanswered only if there is no changelog.
    prop_assert!(report.unanswered.is_empty() || topics.changelog.is_empty(), "{:#?}", report);

    let published = &topics.published.aggregates;
    if !published.is_empty() && report.unanswered.is_empty() {
        let wrong = published.values().nth(weather.falsified.index(published.len())).cloned();
        let mut wrong = wrong.expect("the index is in range");
        wrong.total = match wrong.total {
            Total::Counter(count) => Total::Counter(count + 1),
            Total::Delta(count) => Total::Delta(count + 1),
        };
        topics.publish_record(&wrong);
        let report = topics.verify();
        prop_assert_eq!(report.differences.len(), 1, "{:#?}", report);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_equals_the_simplest_implementation_of_the_contract(records in records()) {
        let mut fold = Fold::new(Names::default(), Snapshot::default(), Retention::default());
        for (at, record) in records.iter().enumerate() {
            let (key, value) = encode(record);
            let offset = i64::try_from(at).expect("small");
            let (key, value) = (Some(key.as_bytes()), value.as_deref());
            fold.apply(LogRecord { offset, timestamp: Timestamp::NotAvailable, key, value });
            let expected = totals(&records[..=at]);
            for name in NAMES {
                let sum = fold.sum(&name.parse().expect("a series")).count;
                prop_assert_eq!(sum, expected.get(name).copied().unwrap_or(0), "{} after {}", name, at);
            }
        }
    }

    #[test]
    fn the_aggregators_totals_agree_after_compaction_and_retention(records in records(), weather in weather()) {
        let mut topics = Topics::default();
        for record in &records {
            let (key, value) = encode(record);
            topics.push(&key, value);
        }
        check_after(topics, weather)?;
    }

    #[test]
    fn the_aggregators_totals_agree_while_rows_expire(
        events in events(),
        runs in prop::option::of(2..20_i64),
        finished in prop::option::of(1..10_i64),
        weather in weather(),
    ) {
        let seconds = |seconds: Option<i64>| seconds.map(|seconds| Millis(1000 * seconds));
        let retention = Retention { runs: seconds(runs), finished: seconds(finished), max_markers: 1000 };
        let mut topics = Topics { retention, ..Topics::default() };
        for event in &events {
            push(&mut topics, event);
        }
        check_after(topics, weather)?;
    }
}
