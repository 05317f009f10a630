use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::change::Change;
use crate::row::{Counter, Row, RowChange, RowMeta, RowView};

/// The latest valid report of every key, and what changes when another comes.
#[derive(Debug, Default)]
pub(crate) struct Table {
    ids: HashTable<usize>,
    slots: Vec<Option<(Box<[u8]>, Row)>>,
    free: Vec<usize>,
    hasher: DefaultHashBuilder,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<(usize, &Row)> {
        let id = *self.ids.find(self.hasher.hash_one(key), |id| self.key(*id) == key)?;
        let (_, row) = self.slots[id].as_ref()?;
        Some((id, row))
    }

    /// Replaces the row `id` and forwards the change.
    pub(crate) fn replace(
        &mut self,
        id: usize,
        meta: RowMeta,
        counters: &[Counter],
        forward: impl FnOnce(&RowChange<'_>),
    ) {
        if let Some((_, row)) = &mut self.slots[id] {
            forward(&Change { old: Some(row.view()), new: Some(RowView::new(&meta, counters)) });
            row.set(meta, counters);
        }
    }

    /// Adds a row for a key that has none, and forwards the change.
    pub(crate) fn insert(&mut self, key: &[u8], row: Row, forward: impl FnOnce(&RowChange<'_>)) {
        forward(&Change { old: None, new: Some(row.view()) });
        let slot = Some((key.into(), row));
        let id = if let Some(id) = self.free.pop() {
            self.slots[id] = slot;
            id
        } else {
            self.slots.push(slot);
            self.slots.len() - 1
        };
        let Self { ids, slots, hasher, .. } = self;
        let hash = |id: &usize| hasher.hash_one(slots[*id].as_ref().map_or(key, |(key, _)| key));
        ids.insert_unique(hasher.hash_one(key), id, hash);
    }

    /// Removes a row and forwards the change; `false` if the key has none.
    pub(crate) fn remove(&mut self, key: &[u8], forward: impl FnOnce(&RowChange<'_>)) -> bool {
        let Some((id, row)) = self.find(key) else {
            return false;
        };
        forward(&Change { old: Some(row.view()), new: None });
        if let Ok(entry) = self.ids.find_entry(self.hasher.hash_one(key), |other| *other == id) {
            entry.remove();
        }
        self.slots[id] = None;
        self.free.push(id);
        true
    }

    /// Marks the rows as dead that were last seen before `deadline`, and forwards each change. Gives the time at which
    /// the next one could follow: when the oldest of those that live was last seen.
    pub(crate) fn expire(&mut self, deadline: i64, mut forward: impl FnMut(&RowChange<'_>)) -> Option<i64> {
        let mut oldest = None;
        for (_, row) in self.slots.iter_mut().flatten().filter(|(_, row)| row.meta.live) {
            if row.meta.last_seen < deadline {
                let old = row.view();
                forward(&Change { old: Some(old), new: Some(RowView { live: false, ..old }) });
                row.meta.live = false;
            } else {
                oldest = Some(oldest.map_or(row.meta.last_seen, |oldest: i64| oldest.min(row.meta.last_seen)));
            }
        }
        oldest
    }

    fn key(&self, id: usize) -> &[u8] {
        self.slots[id].as_ref().map_or(&[], |(key, _)| key)
    }
}
