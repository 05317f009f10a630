use std::hash::BuildHasher as _;
use std::hint::black_box;

use hashbrown::{DefaultHashBuilder, HashTable};
use quipu_record::Millis;

use crate::change::Change;
use crate::row::{Counter, Row, RowChange, RowMeta, RowView};

/// The latest valid report of every key, and what changes when another comes.
#[derive(Debug, Default)]
pub(crate) struct Table {
    ids: HashTable<usize>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    hasher: DefaultHashBuilder,
    changed: Vec<usize>,
    removed: Vec<Box<[u8]>>,
}

#[derive(Debug)]
struct Slot {
    key: Box<[u8]>,
    row: Row,
    /// Whether it is in `changed`.
    changed: bool,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The rows from the slot `from` on, each with its slot and its key.
    pub(crate) fn rows_from(&self, from: usize) -> impl Iterator<Item = (usize, &[u8], &Row)> {
        let slots = self.slots.iter().enumerate().skip(from);
        slots.filter_map(|(id, slot)| slot.as_ref().map(|slot| (id, &*slot.key, &slot.row)))
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<(usize, &Row)> {
        let id = *self.ids.find(self.hasher.hash_one(key), |id| self.key(*id) == key)?;
        Some((id, &self.slots[id].as_ref()?.row))
    }

    /// Has the rows of these keys brought into the cache. The look-ups do not depend on each other, so their misses overlap;
    /// one record after the other would wait for each.
    pub(crate) fn prefetch<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        let rows = keys.filter_map(|key| self.find(key));
        let ends = |row: &Row| row.meta.offset.0 ^ row.counters.first().map_or(0, |(_, count)| count.cast_signed());
        black_box(rows.fold(0, |read, (_, row)| read ^ ends(row)));
    }

    /// Replaces the row `id`, whose time does not go back, and forwards the change.
    pub(crate) fn replace(
        &mut self,
        id: usize,
        meta: RowMeta,
        counters: &[Counter],
        forward: impl FnOnce(&RowChange<'_>),
    ) {
        if let Some(Slot { row, changed, .. }) = &mut self.slots[id] {
            let meta = RowMeta { last_seen: meta.last_seen.max(row.meta.last_seen), ..meta };
            forward(&Change { old: Some(row.view()), new: Some(RowView::new(&meta, counters)) });
            row.set(meta, counters);
            if !std::mem::replace(changed, true) {
                self.changed.push(id);
            }
        }
    }

    /// Adds a row for a key that has none, and forwards the change.
    pub(crate) fn insert(&mut self, key: &[u8], row: Row, forward: impl FnOnce(&RowChange<'_>)) {
        forward(&Change { old: None, new: Some(row.view()) });
        let slot = Some(Slot { key: key.into(), row, changed: true });
        let id = if let Some(id) = self.free.pop() {
            self.slots[id] = slot;
            id
        } else {
            self.slots.push(slot);
            self.slots.len() - 1
        };
        self.changed.push(id);
        let Self { ids, slots, hasher, .. } = self;
        let hash = |id: &usize| hasher.hash_one(slots[*id].as_ref().map_or(key, |slot| &slot.key));
        ids.insert_unique(hasher.hash_one(key), id, hash);
    }

    /// Removes a row and forwards the change; `false` if the key has none.
    pub(crate) fn remove(&mut self, key: &[u8], forward: impl FnOnce(&RowChange<'_>)) -> bool {
        let found = self
            .ids
            .find_entry(self.hasher.hash_one(key), |id| self.slots[*id].as_ref().is_some_and(|slot| &*slot.key == key));
        let Ok(found) = found else { return false };
        let (id, _) = found.remove();
        if let Some(slot) = self.slots[id].take() {
            forward(&Change { old: Some(slot.row.view()), new: None });
            self.removed.push(slot.key);
        }
        self.free.push(id);
        true
    }

    /// Marks the rows as dead that were last seen before `deadline`, and forwards each key and change. Gives when the
    /// oldest of those that live was last seen.
    pub(crate) fn expire(
        &mut self,
        deadline: Millis,
        mut forward: impl FnMut(&[u8], &RowChange<'_>),
    ) -> Option<Millis> {
        let mut oldest = None;
        for Slot { key, row, .. } in self.slots.iter_mut().flatten().filter(|slot| slot.row.meta.live) {
            if row.meta.last_seen < deadline {
                let old = row.view();
                forward(key, &Change { old: Some(old), new: Some(RowView { live: false, ..old }) });
                row.meta.live = false;
            } else {
                oldest = Some(oldest.map_or(row.meta.last_seen, |oldest: Millis| oldest.min(row.meta.last_seen)));
            }
        }
        oldest
    }

    /// The keys of all rows.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.slots.iter().flatten().map(|slot| &*slot.key)
    }

    /// What changed since the last call: first the keys that were removed (and may be there again), then the rows.
    pub(crate) fn take_changes(&mut self, mut changed: impl FnMut(&[u8], Option<&Row>)) {
        for key in self.removed.drain(..) {
            changed(&key, None);
        }
        for id in self.changed.drain(..) {
            // A slot that was emptied, or given to another key, was said already.
            if let Some(slot) = self.slots[id].as_mut().filter(|slot| slot.changed) {
                slot.changed = false;
                changed(&slot.key, Some(&slot.row));
            }
        }
    }

    /// Takes all rows for changed.
    pub(crate) fn touch_all(&mut self) {
        for (id, slot) in self.slots.iter_mut().enumerate() {
            if let Some(slot) = slot
                && !std::mem::replace(&mut slot.changed, true)
            {
                self.changed.push(id);
            }
        }
    }

    fn key(&self, id: usize) -> &[u8] {
        self.slots[id].as_ref().map_or(&[], |slot| &slot.key)
    }
}
