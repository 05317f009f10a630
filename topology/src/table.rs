use std::hash::BuildHasher as _;
use std::hint::black_box;

use hashbrown::{DefaultHashBuilder, HashTable};
use quipu_record::Millis;

use crate::accumulator::RowId;
use crate::change::Change;
use crate::row::{Row, RowChange, RowMeta, RowView};
use crate::values::ValuesRef;

/// The latest valid report of every key, and which rows changed since they were last taken.
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

    /// Reads the rows of these keys, so that the processor's cache has them. The look-ups do not depend on each other, so
    /// their cache misses overlap; records that are applied one by one wait for each miss.
    pub(crate) fn prefetch<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        let rows = keys.filter_map(|key| self.find(key));
        let ends = |row: &Row| {
            row.meta.offset.0 ^ row.values.as_ref().counters.first().map_or(0, |(_, count)| count.cast_signed())
        };
        black_box(rows.fold(0, |read, (_, row)| read ^ ends(row)));
    }

    /// Replaces the row `id`, whose time does not go back, and forwards the change.
    pub(crate) fn replace(
        &mut self,
        id: usize,
        meta: RowMeta,
        values: ValuesRef<'_>,
        forward: impl FnOnce(RowId, &RowChange<'_>),
    ) {
        if let Some(Slot { row, changed, .. }) = &mut self.slots[id] {
            let meta = RowMeta { last_seen: meta.last_seen.max(row.meta.last_seen), ..meta };
            forward(RowId::new(id), &Change { old: Some(row.view()), new: Some(RowView::new(&meta, values)) });
            row.set(meta, values);
            if !std::mem::replace(changed, true) {
                self.changed.push(id);
            }
        }
    }

    /// Adds a row for a key that has none, and forwards the change.
    pub(crate) fn insert(&mut self, key: &[u8], row: Row, forward: impl FnOnce(RowId, &RowChange<'_>)) {
        let id = self.add(key, row, forward);
        if let Some(slot) = &mut self.slots[id] {
            slot.changed = true;
            self.changed.push(id);
        }
    }

    /// Takes over a row as the store or the changelog has it, or its removal, and forwards the change. It does not count
    /// as changed.
    pub(crate) fn load(&mut self, key: &[u8], row: Option<Row>, forward: impl FnOnce(RowId, &RowChange<'_>)) {
        let id = self.find(key).map(|(id, _)| id);
        match (id, row) {
            (None, None) => {}
            (None, Some(row)) => _ = self.add(key, row, forward),
            (Some(_), None) => _ = self.take(key, forward),
            (Some(id), Some(new)) => {
                if let Some(Slot { row, .. }) = &mut self.slots[id] {
                    forward(RowId::new(id), &Change { old: Some(row.view()), new: Some(new.view()) });
                    *row = new;
                }
            }
        }
    }

    fn add(&mut self, key: &[u8], row: Row, forward: impl FnOnce(RowId, &RowChange<'_>)) -> usize {
        let id = self.free.pop().unwrap_or(self.slots.len());
        forward(RowId::new(id), &Change { old: None, new: Some(row.view()) });
        let slot = Some(Slot { key: key.into(), row, changed: false });
        if id < self.slots.len() {
            self.slots[id] = slot;
        } else {
            self.slots.push(slot);
        }
        let Self { ids, slots, hasher, .. } = self;
        let hash = |id: &usize| hasher.hash_one(slots[*id].as_ref().map_or(key, |slot| &slot.key));
        ids.insert_unique(hasher.hash_one(key), id, hash);
        id
    }

    /// Removes a row and forwards the change; `false` if the key has none.
    pub(crate) fn remove(&mut self, key: &[u8], forward: impl FnOnce(RowId, &RowChange<'_>)) -> bool {
        let removed = self.take(key, forward);
        let found = removed.is_some();
        self.removed.extend(removed);
        found
    }

    /// Takes a row out of the table, and returns its key.
    fn take(&mut self, key: &[u8], forward: impl FnOnce(RowId, &RowChange<'_>)) -> Option<Box<[u8]>> {
        let found = self
            .ids
            .find_entry(self.hasher.hash_one(key), |id| self.slots[*id].as_ref().is_some_and(|slot| &*slot.key == key));
        let (id, _) = found.ok()?.remove();
        let Slot { key, row, .. } = self.slots[id].take()?;
        forward(RowId::new(id), &Change { old: Some(row.view()), new: None });
        self.free.push(id);
        Some(key)
    }

    /// Marks rows as no longer live that were last seen before `deadline`, and forwards each key and change. Returns when
    /// the oldest live row was last seen.
    pub(crate) fn expire(
        &mut self,
        deadline: Millis,
        mut forward: impl FnMut(&[u8], RowId, &RowChange<'_>),
    ) -> Option<Millis> {
        let mut oldest = None;
        for (id, slot) in self.slots.iter_mut().enumerate() {
            let Some(Slot { key, row, .. }) = slot.as_mut().filter(|slot| slot.row.meta.live) else { continue };
            if row.meta.last_seen < deadline {
                let old = row.view();
                let change = Change { old: Some(old), new: Some(RowView { live: false, ..old }) };
                forward(key, RowId::new(id), &change);
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
            // A slot that was emptied is passed as removed, and one that was given to another key is in the list twice.
            if let Some(slot) = self.slots[id].as_mut().filter(|slot| slot.changed) {
                slot.changed = false;
                changed(&slot.key, Some(&slot.row));
            }
        }
    }

    /// Marks all rows as changed.
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
