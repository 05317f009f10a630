use quipu_record::Millis;

use crate::accumulator::{Accumulator, RowId};
use crate::change::Change;

/// A group of a [`Reduce`]: a small number, so that accumulators are kept in a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(usize);

impl GroupId {
    /// The group with this number; numbers should be dense.
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self(index)
    }

    /// Its number.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// Accumulates the changes of each group.
///
/// It works as `KGroupedTable.reduce` of Kafka Streams, except that a change is one step even where it subtracts and
/// adds, and that an empty group can be removed after its zero was forwarded.
#[derive(Debug)]
pub struct Reduce<A> {
    groups: Vec<Option<Group<A>>>,
    changed: Vec<GroupId>,
    /// The least time of a new group: its series may have been removed before, or published by an earlier process.
    not_before: Millis,
}

#[derive(Debug, Clone)]
struct Group<A> {
    accumulator: A,
    members: u32,
    timestamp: Millis,
    changed: bool,
}

/// What a group amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reduced<T> {
    /// The total.
    pub total: T,
    /// The time of the newest record that contributed; it never goes back.
    pub timestamp: Millis,
    /// How many rows contribute.
    pub members: u32,
}

impl<A: Accumulator> Reduce<A> {
    /// A reduce without groups.
    #[must_use]
    pub fn new() -> Self {
        Self { groups: Vec::new(), changed: Vec::new(), not_before: Millis::MIN }
    }

    /// Applies to one group the change of what one row contributes.
    pub fn update(&mut self, id: GroupId, row: RowId, change: &Change<A::Value>, timestamp: Millis) {
        let Some(value) = change.old.as_ref().or(change.new.as_ref()) else { return };
        let index = id.index();
        if index >= self.groups.len() {
            self.groups.resize(index + 1, None);
        }
        let group = self.groups[index].get_or_insert_with(|| Group {
            accumulator: A::new(value),
            members: 0,
            timestamp: self.not_before,
            changed: false,
        });
        if let Some(old) = &change.old {
            group.accumulator.sub(row, old);
            group.members -= 1;
        }
        if let Some(new) = &change.new {
            group.accumulator.add(row, new);
            group.members += 1;
        }
        group.timestamp = group.timestamp.max(timestamp);
        if !std::mem::replace(&mut group.changed, true) {
            self.changed.push(id);
        }
    }

    /// Moves what one row contributes to another, whose contribution changes by as much. The group counts as changed only
    /// if its total changes nevertheless.
    pub fn transfer(&mut self, id: GroupId, from: (RowId, &A::Value), to: (RowId, &Change<A::Value>)) {
        let Some(Some(group)) = self.groups.get_mut(id.index()) else { return };
        let before = group.accumulator.read();
        group.accumulator.sub(from.0, from.1);
        group.members -= 1;
        if let Some(old) = &to.1.old {
            group.accumulator.sub(to.0, old);
            group.members -= 1;
        }
        if let Some(new) = &to.1.new {
            group.accumulator.add(to.0, new);
            group.members += 1;
        }
        if group.accumulator.read() != before && !std::mem::replace(&mut group.changed, true) {
            self.changed.push(id);
        }
    }

    /// What the group amounts to, if a row contributed since it was new.
    #[must_use]
    pub fn get(&self, id: GroupId) -> Option<Reduced<A::Total>> {
        let Group { accumulator, members, timestamp, .. } = self.groups.get(id.index())?.as_ref()?;
        Some(Reduced { total: accumulator.read(), timestamp: *timestamp, members: *members })
    }

    /// The groups that were updated since the last call, in the order of their first update.
    pub fn take_changed(&mut self) -> Vec<GroupId> {
        for id in &self.changed {
            if let Some(group) = &mut self.groups[id.index()] {
                group.changed = false;
            }
        }
        std::mem::take(&mut self.changed)
    }

    /// Moves the group's time forward, because its total is published again.
    pub fn touch(&mut self, id: GroupId, timestamp: Millis) {
        if let Some(Some(group)) = self.groups.get_mut(id.index()) {
            group.timestamp = group.timestamp.max(timestamp);
        }
    }

    /// Moves the time of every group, present and future, to `timestamp` at least.
    pub fn not_before(&mut self, timestamp: Millis) {
        self.not_before = self.not_before.max(timestamp);
        for group in self.groups.iter_mut().flatten() {
            group.timestamp = group.timestamp.max(timestamp);
        }
    }

    /// Forgets an empty group, so that its number can be used for another.
    pub fn remove(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(id.index()).and_then(Option::take) {
            self.not_before = self.not_before.max(group.timestamp);
        }
    }
}

impl<A: Accumulator> Default for Reduce<A> {
    fn default() -> Self {
        Self::new()
    }
}
