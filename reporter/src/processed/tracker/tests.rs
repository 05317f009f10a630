//! The tracker's value compared with what happened to each offset.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quipu_record::{Layer, limits};

use super::*;

fn one(offset: i64) -> Span {
    Span::one(Offset(offset))
}

fn span(start: i64, end: i64) -> Span {
    Span::new(Offset(start), Offset(end))
}

fn ranges(value: &Ranges) -> Vec<Vec<(i64, i64, u64)>> {
    let of = |layer: &Layer| layer.ranges().iter().map(|range| (range.start.0, range.end.0, range.records)).collect();
    value.layers.as_slice().iter().map(of).collect()
}

fn spans(spans: &Spans) -> Vec<(i64, i64)> {
    spans.as_slice().iter().map(|span| (span.start.0, span.end.0)).collect()
}

fn tracker() -> Tracker {
    Tracker::new(limits::RANGES)
}

/// Delivers and processes each record.
fn work(tracker: &mut Tracker, offsets: impl IntoIterator<Item = i64>) {
    for offset in offsets {
        tracker.delivered(one(offset));
        tracker.recorded(one(offset));
    }
}

#[test]
fn what_is_passed_over_is_skipped_from_the_begin_of_the_assignment() {
    let mut tracker = tracker();
    tracker.assigned(Some(Offset(10)));
    work(&mut tracker, [12, 13, 15]);
    let value = tracker.value(false);
    assert_eq!(ranges(&value), [[(12, 14, 2), (15, 16, 1)]]);
    assert_eq!(spans(&value.skipped), [(10, 12), (14, 15)]);
}

#[test]
fn below_the_committed_offset_ranges_are_joined_across_what_was_skipped() {
    let mut tracker = tracker();
    tracker.assigned(Some(Offset(10)));
    work(&mut tracker, [10, 12, 13, 15, 17, 18]);
    tracker.committed(Offset(16));
    let value = tracker.value(false);
    assert_eq!(ranges(&value), [[(10, 16, 4), (17, 19, 2)]]);
    assert_eq!((spans(&value.skipped), value.committed), (vec![(16, 17)], Some(Offset(16))));
    tracker.committed(Offset(18));
    assert_eq!(ranges(&tracker.value(false)), [[(10, 18, 5), (18, 19, 1)]], "another run would begin at 18");
    tracker.committed(Offset(19));
    assert_eq!(ranges(&tracker.value(false)), [[(10, 19, 6)]]);
}

#[test]
fn ranges_are_not_joined_across_a_takeover() {
    let mut tracker = tracker();
    tracker.assigned(Some(Offset(0)));
    work(&mut tracker, 0..10);
    tracker.committed(Offset(8));
    tracker.revoked();
    assert_eq!(ranges(&tracker.value(false)), [[(0, 8, 8), (8, 10, 2)]]);
    tracker.assigned(Some(Offset(20)));
    work(&mut tracker, [20, 21]);
    tracker.assigned(Some(Offset(5)));
    work(&mut tracker, 5..12);
    tracker.committed(Offset(22));
    let expected = [vec![(0, 8, 8), (8, 12, 4), (20, 22, 2)], vec![(5, 8, 3), (8, 10, 2)]];
    assert_eq!(ranges(&tracker.value(false)), expected);
}

#[test]
fn offsets_that_were_deleted_before_they_were_read_are_not_skipped() {
    let mut tracker = tracker();
    tracker.assigned(Some(Offset(0)));
    work(&mut tracker, [0, 1]);
    tracker.assigned(None);
    work(&mut tracker, [52, 54]);
    let value = tracker.value(false);
    assert_eq!(ranges(&value), [[(0, 2, 2), (52, 53, 1), (54, 55, 1)]]);
    assert_eq!(spans(&value.skipped), [(53, 54)]);
}

#[test]
fn a_delivery_that_another_thread_overtook_is_not_skipped() {
    let mut tracker = tracker();
    tracker.assigned(Some(Offset(0)));
    assert!(tracker.delivered(one(0)));
    assert!(tracker.delivered(one(2)));
    assert!(!tracker.delivered(one(1)));
    assert!(tracker.delivered(one(3)));
    let value = tracker.value(false);
    assert_eq!((spans(&value.skipped), spans(&value.in_hand)), (vec![], vec![(0, 4)]));
}

#[test]
fn nothing_is_in_hand_after_the_partition_was_taken_away_or_the_run_has_ended() {
    let mut tracker = tracker();
    tracker.assigned(Some(Offset(0)));
    tracker.delivered(span(0, 4));
    tracker.recorded(one(1));
    assert_eq!(spans(&tracker.value(false).in_hand), [(0, 1), (2, 4)]);
    assert!(tracker.value(true).in_hand.is_empty());
    tracker.revoked();
    assert!(tracker.value(false).in_hand.is_empty());
    tracker.recorded(one(2));
    assert_eq!(ranges(&tracker.value(false)), [[(1, 3, 2)]], "work that ends later counts, too");
}

#[test]
fn a_transactional_topic_stays_small_between_two_commits() {
    let mut tracker = Tracker::new(100);
    tracker.assigned(Some(Offset(0)));
    // A marker after each record.
    work(&mut tracker, (0..10_000).step_by(2));
    let value = tracker.value(false);
    assert!(value.len() <= 100 && !value.inexact, "{value:?}");
    assert_eq!(value.layers.records(), 5000);
}

#[test]
fn over_the_limit_the_oldest_ranges_are_merged_and_the_value_is_inexact() {
    let mut tracker = Tracker::new(100);
    tracker.assigned(Some(Offset(0)));
    tracker.delivered(span(0, 1000));
    (0..1000).step_by(2).for_each(|offset| tracker.recorded(one(offset)));
    let value = tracker.value(false);
    assert!(value.inexact && value.len() <= 100, "{}", value.len());
    assert!((0..1000).step_by(2).all(|offset| value.layers.first().is_some_and(|first| first.covers(one(offset)))));
    (1..1000).step_by(2).for_each(|offset| tracker.recorded(one(offset)));
    assert_eq!(tracker.value(false).layers.as_slice().len(), 1, "no duplicate is made");
}

#[derive(Debug, Clone)]
enum Step {
    /// An assignment begins at the committed offset; or, within one, a seek to there or anywhere.
    Assign(Option<i64>),
    Deliver(usize),
    /// One of those in hand is done.
    Record(prop::sample::Index),
    Commit(prop::sample::Index),
    Revoke,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => prop::option::weighted(0.3, 0..50_i64).prop_map(Step::Assign),
        8 => (1..4_usize).prop_map(Step::Deliver),
        14 => any::<prop::sample::Index>().prop_map(Step::Record),
        3 => any::<prop::sample::Index>().prop_map(Step::Commit),
        1 => Just(Step::Revoke),
    ]
}

/// What happened to each offset.
#[derive(Debug, Default)]
struct Truth {
    counts: BTreeMap<i64, u64>,
    passed: BTreeSet<i64>,
    in_hand: BTreeSet<i64>,
    committed: Option<i64>,
    /// Where another run may have taken over.
    takeovers: BTreeSet<i64>,
}

impl Truth {
    fn check(&self, value: &Ranges, records: &[bool]) -> Result<(), TestCaseError> {
        prop_assert!(!value.inexact);
        let is_record = |offset: i64| records[usize::try_from(offset).unwrap()];
        for (index, layer) in (1..).zip(value.layers.as_slice()) {
            for offset in (0..).take(records.len()) {
                let has = self.counts.get(&offset).is_some_and(|count| *count >= index);
                let covers = layer.covers(one(offset));
                prop_assert_eq!(covers && is_record(offset), has, "layer {} at {}", index, offset);
            }
            for range in layer.ranges() {
                let inside = (range.start.0..range.end.0).filter(|offset| is_record(*offset)).count();
                prop_assert_eq!(inside as u64, range.records);
                for takeover in &self.takeovers {
                    let crosses = range.start.0 < *takeover && *takeover < range.end.0;
                    prop_assert!(!crosses, "{:?} crosses {}", range, takeover);
                }
            }
        }
        prop_assert_eq!(value.layers.records(), self.counts.values().sum::<u64>());
        let first = |offset| value.layers.first().is_some_and(|first| first.covers(one(offset)));
        for offset in (0..).take(records.len()) {
            let is_skipped = value.skipped.covers(one(offset));
            prop_assert!(!is_skipped || self.passed.contains(&offset), "{} was not passed over", offset);
            prop_assert!(!self.passed.contains(&offset) || is_skipped || first(offset), "{} is missing", offset);
            prop_assert_eq!(value.in_hand.covers(one(offset)), self.in_hand.contains(&offset));
        }
        prop_assert_eq!(value.committed, self.committed.map(Offset));
        Ok(())
    }
}

proptest! {
    #[test]
    fn the_value_is_what_happened_to_each_offset(
        records in prop::collection::vec(prop::bool::weighted(0.8), 60), steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut tracker = tracker();
        let mut truth = Truth::default();
        // The position and the committed offset of the current assignment.
        let mut assignment: Option<(i64, i64)> = None;
        let mut group = 0;
        let mut before = tracker.value(false);
        for step in steps {
            match step {
                Step::Assign(offset) => {
                    // A seek does not change what the group has committed.
                    let begin = if let Some((position, _)) = &mut assignment {
                        *position = offset.unwrap_or(group);
                        *position
                    } else {
                        truth.takeovers.insert(group);
                        assignment = Some((group, group));
                        group
                    };
                    tracker.assigned(Some(Offset(begin)));
                }
                Step::Deliver(count) => {
                    for _ in 0..count {
                        let Some((position, _)) = &mut assignment else { continue };
                        let rest = usize::try_from(*position).unwrap();
                        let Some(gap) = records[rest..].iter().position(|is_record| *is_record) else { continue };
                        let offset = *position + i64::try_from(gap).unwrap();
                        truth.passed.extend(*position..offset);
                        truth.in_hand.insert(offset);
                        tracker.delivered(one(offset));
                        *position = offset + 1;
                    }
                }
                Step::Record(index) => {
                    let in_hand: Vec<_> = truth.in_hand.iter().copied().collect();
                    if !in_hand.is_empty() {
                        let offset = *index.get(&in_hand);
                        truth.in_hand.remove(&offset);
                        *truth.counts.entry(offset).or_default() += 1;
                        tracker.recorded(one(offset));
                    }
                }
                Step::Commit(index) => {
                    // Commits go forwards, as far as was delivered.
                    if let Some((position, cut)) = &mut assignment
                        && *position >= *cut
                    {
                        group = *cut + i64::try_from(index.index(usize::try_from(*position - *cut + 1).unwrap())).unwrap();
                        *cut = group;
                        truth.committed = truth.committed.max(Some(group));
                        tracker.committed(Offset(group));
                    }
                }
                Step::Revoke => {
                    truth.takeovers.extend(assignment.take().map(|(_, cut)| cut));
                    truth.in_hand.clear();
                    tracker.revoked();
                }
            }
            let value = tracker.value(false);
            prop_assert!(value.continues(&before), "{:?} after {:?}", value, before);
            let live = assignment.map(|(_, cut)| cut).filter(|cut| truth.takeovers.insert(*cut));
            truth.check(&value, &records)?;
            live.map(|cut| truth.takeovers.remove(&cut));
            before = value;
        }
    }
}
