use proptest::prelude::*;
use quipu_record::Total;

use super::records::{NAMES, encode, records, totals};
use super::topics::{Entry, Topics, process, topology};
use crate::fold::Fold;
use crate::names::Names;
use crate::snapshot::Snapshot;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_equals_the_simplest_implementation_of_the_contract(records in records()) {
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

    /// The aggregator's topology publishes the totals. Compaction and retention then remove records that they may
    /// remove, and every total that can be checked must still be right.
    #[test]
    fn the_aggregators_totals_agree_after_compaction_and_retention(
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
                topics.aggregates.extend(topology.take_aggregates(quipu_record::Millis(1)));
                topology.take_rows(|key, value| topics.changelog.push((key.into(), value)));
                changelogs.push((entry.0 + 1, topics.changelog.clone()));
            }
        }
        prop_assert_eq!(topics.verify().differences, vec![]);

        // The changelog was read some commits before the totals. Only records that were committed before that may be
        // removed.
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
        // A total may be unanswered only if the changelog has no rows.
        prop_assert!(report.unanswered.is_empty() || topics.snapshot().1.newest().is_none(), "{:#?}", report);

        if !topics.aggregates.is_empty() && report.unanswered.is_empty() {
            let mut wrong = topics.aggregates[falsified.index(topics.aggregates.len())].clone();
            let latest = topics.aggregates.iter().rfind(|latest| latest.series == wrong.series).expect("it is there");
            wrong.total = match &latest.total {
                Total::Counter(count) => Total::Counter(count + 1),
                Total::Delta(count) => Total::Delta(count + 1),
            };
            wrong.offset = latest.offset;
            topics.aggregates.push(wrong);
            let report = topics.verify();
            prop_assert_eq!(report.differences.len(), 1, "{:#?}", report);
        }
    }
}
