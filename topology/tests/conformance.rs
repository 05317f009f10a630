//! What Kafka Streams' own unit tests expect of `KTable.groupBy().reduce()` (`KTableReduceTest`, `KTableAggregateTest`,
//! KIP-904), applied to our operators.

use std::collections::{BTreeMap, BTreeSet};

use quipu_record::Millis;
use quipu_topology::{Accumulator, Change, GroupId, Reduce, Reduced, RowId};

/// The accumulator of their test: `add` is union, `sub` is difference.
#[derive(Debug, Clone, PartialEq)]
struct Names(BTreeSet<&'static str>);

impl Accumulator for Names {
    type Value = Self;
    type Total = Self;

    fn new(_: &Self) -> Self {
        Self(BTreeSet::new())
    }

    fn add(&mut self, _: RowId, other: &Self) {
        self.0.extend(&other.0);
    }

    fn sub(&mut self, _: RowId, other: &Self) {
        self.0.retain(|name| !other.0.contains(name));
    }

    fn read(&self) -> Self {
        self.clone()
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Count(i64);

impl Accumulator for Count {
    type Value = Self;
    type Total = i64;

    fn new(_: &Self) -> Self {
        Self(0)
    }

    fn add(&mut self, _: RowId, other: &Self) {
        self.0 += other.0;
    }

    fn sub(&mut self, _: RowId, other: &Self) {
        self.0 -= other.0;
    }

    fn read(&self) -> i64 {
        self.0
    }
}

/// Applies a change of one row, and returns what the group amounts to.
fn update<A: Accumulator>(
    reduce: &mut Reduce<A>,
    id: GroupId,
    change: &Change<A::Value>,
    timestamp: i64,
) -> Reduced<A::Total> {
    reduce.update(id, RowId::new(0), change, Millis(timestamp));
    reduce.get(id).expect("a group")
}

#[test]
fn should_add_and_subtract() {
    let set = |names: &[&'static str]| Names(names.iter().copied().collect());
    let mut reduce = Reduce::<Names>::new();
    let mut step = |old: Option<Names>, new: Option<Names>, timestamp| {
        let reduced = update(&mut reduce, GroupId::new(0), &Change { old, new }, timestamp);
        (reduced.total, reduced.timestamp.0)
    };
    assert_eq!(step(None, Some(set(&["a"])), 10), (set(&["a"]), 10));
    assert_eq!(step(Some(set(&["a"])), Some(set(&["b"])), 15), (set(&["b"]), 15));
    assert_eq!(step(Some(set(&["b"])), None, 12), (set(&[]), 15));
}

/// A table that is grouped by its values and counted, as in their `testCount`.
fn count_by_value(input: &[(&'static str, &'static str, i64)]) -> Vec<(&'static str, i64, i64)> {
    let mut table = BTreeMap::new();
    let mut groups = Vec::new();
    let mut reduce = Reduce::<Count>::new();
    let mut forwarded = Vec::new();
    for (key, value, timestamp) in input {
        let old: Option<&'static str> = table.insert(key, *value);
        let mut forward = |group: &'static str, change: &Change<Count>| {
            let index = groups.iter().position(|known| *known == group).unwrap_or_else(|| {
                groups.push(group);
                groups.len() - 1
            });
            let reduced = update(&mut reduce, GroupId::new(index), change, *timestamp);
            forwarded.push((group, reduced.total, reduced.timestamp.0));
        };
        match old {
            Some(old) if old == *value => forward(value, &Change { old: Some(Count(1)), new: Some(Count(1)) }),
            old => {
                if let Some(old) = old {
                    forward(old, &Change { old: Some(Count(1)), new: None });
                }
                forward(value, &Change { old: None, new: Some(Count(1)) });
            }
        }
    }
    forwarded
}

#[test]
fn test_count() {
    let input = [("A", "green", 10), ("B", "green", 9), ("A", "blue", 12), ("C", "yellow", 15), ("D", "green", 11)];
    let expected =
        [("green", 1, 10), ("green", 2, 10), ("green", 1, 12), ("blue", 1, 12), ("yellow", 1, 15), ("green", 2, 12)];
    assert_eq!(count_by_value(&input), expected);
}

#[test]
fn the_same_group_before_and_after_is_one_step() {
    assert_eq!(count_by_value(&[("A", "1", 8), ("A", "1", 9)]), [("1", 1, 8), ("1", 1, 9)]);
}

#[test]
fn changed_groups_are_taken_once_and_a_removed_one_begins_anew() {
    let mut reduce = Reduce::<Count>::new();
    let (a, b) = (GroupId::new(0), GroupId::new(5));
    update(&mut reduce, b, &Change { old: None, new: Some(Count(3)) }, 1);
    update(&mut reduce, a, &Change { old: None, new: Some(Count(2)) }, 2);
    update(&mut reduce, b, &Change { old: Some(Count(3)), new: Some(Count(4)) }, 3);
    assert_eq!(reduce.take_changed(), [b, a]);
    assert_eq!(reduce.take_changed(), []);
    reduce.touch(a, Millis(9));
    assert_eq!(
        reduce.get(a).map(|reduced| (reduced.total, reduced.timestamp, reduced.members)),
        Some((2, Millis(9), 1))
    );
    reduce.remove(a);
    let reduced = update(&mut reduce, a, &Change { old: None, new: Some(Count(7)) }, 4);
    assert_eq!((reduced.total, reduced.timestamp, reduced.members), (7, Millis(9), 1), "time does not go back");
}
