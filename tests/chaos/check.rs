//! The totals that are expected, and the totals seen that differ from them.

use std::collections::{BTreeMap, BTreeSet};

use quipu_record::Aggregate;
use quipu_testkit::Pipeline;
use quipu_testkit::fold::{Logged, SERIES};
use quipu_testkit::oracle::Oracle;
use rdkafka::message::Message as _;

use crate::program::COUNTED;

/// The totals of the fleet's series.
pub(crate) type Totals = [i128; SERIES.len()];

/// The totals after each record that the fleet wrote, by its offset.
pub(crate) fn expected(pipeline: &Pipeline, written: &[Logged]) -> Vec<(i64, Totals)> {
    let keys: BTreeSet<String> = written.iter().map(|logged| logged.record.key()).collect();
    let log = pipeline.cluster.read_to_end(&pipeline.metrics);
    let ours = log.iter().filter(|message| {
        message.key().is_some_and(|key| std::str::from_utf8(key).is_ok_and(|key| keys.contains(key)))
    });
    let offsets: Vec<i64> = ours.map(rdkafka::message::OwnedMessage::offset).collect();
    assert_eq!(offsets.len(), written.len(), "every record is in the log once");
    let mut oracle = Oracle::default();
    let after = written.iter().zip(offsets).map(|(logged, offset)| {
        oracle.push(logged);
        (offset, oracle.all_totals())
    });
    after.collect()
}

/// The totals of the fleet's series that differ from those expected at their offset.
pub(crate) fn wrong(seen: &[Aggregate], expected: &[(i64, Totals)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for aggregate in seen {
        let key = aggregate.series.to_string();
        let Some(series) = SERIES.iter().position(|series| *series == key) else { continue };
        let at = expected.partition_point(|(offset, _)| *offset <= aggregate.offset.0);
        let total = at.checked_sub(1).map_or(0, |at| expected[at].1[series]);
        if total != aggregate.count {
            wrong.push(format!("{key} at {} is {} and should be {total}", aggregate.offset, aggregate.count));
        }
    }
    wrong
}

/// The cases in which a count, an offset or a time of the fleet's or the program's series was lower than before.
pub(crate) fn went_back(seen: &[Aggregate]) -> Vec<String> {
    let mut went_back = Vec::new();
    let mut latest = BTreeMap::<String, &Aggregate>::new();
    for aggregate in seen {
        let key = aggregate.series.to_string();
        if key != COUNTED && !SERIES.contains(&key.as_str()) {
            continue;
        }
        if let Some(before) = latest.insert(key.clone(), aggregate) {
            let back = before.count > aggregate.count || before.offset > aggregate.offset;
            if back || before.timestamp > aggregate.timestamp {
                went_back.push(format!("{key} went back from {before:?} to {aggregate:?}"));
            }
        }
    }
    went_back
}
