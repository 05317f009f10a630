use quipu_record::Millis;

use crate::change::Change;
use crate::group::AbelianGroup;

/// A group of a [`Reduce`]: a small number, so that sums live in a vector.
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

/// Sums the changes of each group.
///
/// As in Kafka Streams' `KGroupedTable.reduce`, except that a change is one step even where it subtracts and adds, and
/// that a group which empties can be dropped after its zero was forwarded.
#[derive(Debug)]
pub struct Reduce<G> {
    groups: Vec<Group<G>>,
    changed: Vec<GroupId>,
    /// Where the time of a new group begins: it may be one that was removed, or that a process before this one knew.
    not_before: Millis,
}

#[derive(Debug, Clone)]
struct Group<G> {
    value: G,
    members: u32,
    timestamp: Millis,
    changed: bool,
}

/// What a group amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reduced<'a, G> {
    /// The sum.
    pub value: &'a G,
    /// The time of the newest record that contributed; it never goes back.
    pub timestamp: Millis,
    /// How many rows contribute.
    pub members: u32,
}

impl<G: AbelianGroup> Reduce<G> {
    /// With no groups.
    #[must_use]
    pub fn new() -> Self {
        Self { groups: Vec::new(), changed: Vec::new(), not_before: Millis::MIN }
    }

    /// Applies one change to one group, and gives what the group amounts to now.
    pub fn update(&mut self, id: GroupId, change: &Change<G>, timestamp: Millis) -> Reduced<'_, G> {
        let index = id.index();
        if index >= self.groups.len() {
            self.groups.resize(index + 1, Group::empty(self.not_before));
        }
        let group = &mut self.groups[index];
        if let Some(old) = &change.old {
            group.value.sub(old);
            group.members -= 1;
        }
        if let Some(new) = &change.new {
            group.value.add(new);
            group.members += 1;
        }
        group.timestamp = group.timestamp.max(timestamp);
        if !std::mem::replace(&mut group.changed, true) {
            self.changed.push(id);
        }
        group.reduced()
    }

    /// What the group amounts to; zero if nothing ever contributed.
    #[must_use]
    pub fn get(&self, id: GroupId) -> Option<Reduced<'_, G>> {
        self.groups.get(id.index()).map(Group::reduced)
    }

    /// The groups that were updated since the last call, in the order of their first update.
    pub fn take_changed(&mut self) -> Vec<GroupId> {
        for id in &self.changed {
            self.groups[id.index()].changed = false;
        }
        std::mem::take(&mut self.changed)
    }

    /// Moves the group's time forward: its sum was said again.
    pub fn touch(&mut self, id: GroupId, timestamp: Millis) {
        if let Some(group) = self.groups.get_mut(id.index()) {
            group.timestamp = group.timestamp.max(timestamp);
        }
    }

    /// Moves the time of every group, and of all to come, to `timestamp` at least.
    pub fn not_before(&mut self, timestamp: Millis) {
        self.not_before = self.not_before.max(timestamp);
        for group in &mut self.groups {
            group.timestamp = group.timestamp.max(timestamp);
        }
    }

    /// Forgets an emptied group, so that its number can be used for another.
    pub fn remove(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(id.index()) {
            self.not_before = self.not_before.max(group.timestamp);
            *group = Group::empty(self.not_before);
        }
    }
}

impl<G: AbelianGroup> Default for Reduce<G> {
    fn default() -> Self {
        Self::new()
    }
}

impl<G: AbelianGroup> Group<G> {
    fn empty(timestamp: Millis) -> Self {
        Self { value: G::zero(), members: 0, timestamp, changed: false }
    }

    fn reduced(&self) -> Reduced<'_, G> {
        Reduced { value: &self.value, timestamp: self.timestamp, members: self.members }
    }
}
