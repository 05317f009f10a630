//! What the unit tests of Kafka Streams expect of `reduce` itself (`KTableReduceTest`, KIP-904). These tables have values that
//! no record can have, or repeat a value; `scenarios/kafka_streams.txt` has the others.

use std::collections::BTreeSet;

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

/// The table does not forward a value that did not change, so no scenario can express this.
#[test]
fn the_same_group_before_and_after_is_one_step() {
    let mut reduce = Reduce::<Count>::new();
    let mut step = |old: Option<Count>, new: Option<Count>, timestamp| {
        let reduced = update(&mut reduce, GroupId::new(0), &Change { old, new }, timestamp);
        (reduced.total, reduced.timestamp.0)
    };
    assert_eq!(step(None, Some(Count(1)), 8), (1, 8));
    assert_eq!(step(Some(Count(1)), Some(Count(1)), 9), (1, 9));
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
