use std::hash::BuildHasher as _;
use std::hint::black_box;

use hashbrown::{DefaultHashBuilder, HashTable};
use quipu_record::Millis;

use crate::accumulator::RowId;
use crate::change::Change;
use crate::retirement::Deadlines;
use crate::row::{Row, RowChange, RowMeta, RowView};
use crate::values::ValuesRef;

/// The latest valid report of every key, and which rows changed since they were last taken.
#[derive(Debug)]
pub(crate) struct Table {
    ids: HashTable<usize>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    hasher: DefaultHashBuilder,
    changed: Vec<usize>,
    removed: Vec<Box<[u8]>>,
    /// When each live row falls silent unless it is seen again.
    silence: Deadlines<usize>,
    /// How long a live row may be without a record.
    timeout: Millis,
    /// The memory that the rows take outside of `slots`.
    heap_bytes: usize,
}

#[derive(Debug)]
struct Slot {
    key: Box<[u8]>,
    row: Row,
    /// Whether it is in `changed`.
    changed: bool,
    /// Its deadline in `silence`; [`Millis::MAX`] if it has none.
    silent_at: Millis,
}

impl Table {
    /// Without rows; a live row without a record for longer than `timeout` is silent.
    pub(crate) fn new(timeout: Millis) -> Self {
        Self {
            ids: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hasher: DefaultHashBuilder::default(),
            changed: Vec::new(),
            removed: Vec::new(),
            silence: Deadlines::default(),
            timeout,
            heap_bytes: 0,
        }
    }

    /// The memory that the rows take, as an estimate, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let queued = self.ids.len() * size_of::<(Millis, usize)>();
        self.heap_bytes
            + self.slots.capacity() * size_of::<Option<Slot>>()
            + self.ids.capacity() * size_of::<usize>()
            + queued
    }

    pub(crate) fn get(&self, id: usize) -> Option<&Row> {
        self.slots.get(id)?.as_ref().map(|slot| &slot.row)
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many slots there are, each with a row or free.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
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
        let Some(slot) = &mut self.slots[id] else { return };
        let row = &mut slot.row;
        let meta = RowMeta { last_seen: meta.last_seen.max(row.meta.last_seen), ..meta };
        forward(RowId::new(id), &Change { old: Some(row.view()), new: Some(row.view_of(&meta, values)) });
        self.heap_bytes -= row.heap_bytes();
        row.set(meta, values);
        self.heap_bytes += row.heap_bytes();
        self.watch(id);
        self.mark(id);
    }

    /// Gives the row `id` another baseline or base, and forwards the change.
    pub(crate) fn rebase(
        &mut self,
        id: usize,
        rebase: impl FnOnce(&mut Row),
        forward: impl FnOnce(RowId, &RowChange<'_>),
    ) {
        let Some(slot) = &mut self.slots[id] else { return };
        let old = slot.row.clone();
        rebase(&mut slot.row);
        forward(RowId::new(id), &Change { old: Some(old.view()), new: Some(slot.row.view()) });
        self.heap_bytes = self.heap_bytes - old.heap_bytes() + slot.row.heap_bytes();
        self.mark(id);
    }

    /// Adds a row for a key that has none, forwards the change, and returns the row's number.
    pub(crate) fn insert(&mut self, key: &[u8], row: Row, forward: impl FnOnce(RowId, &RowChange<'_>)) -> usize {
        let id = self.add(key, row, forward);
        self.mark(id);
        id
    }

    /// Takes over a row as the store or the changelog has it, forwards the change, and returns the row's number. It does
    /// not count as changed.
    pub(crate) fn load(&mut self, key: &[u8], new: Row, forward: impl FnOnce(RowId, &RowChange<'_>)) -> usize {
        let Some((id, _)) = self.find(key) else { return self.add(key, new, forward) };
        if let Some(Slot { row, .. }) = &mut self.slots[id] {
            forward(RowId::new(id), &Change { old: Some(row.view()), new: Some(new.view()) });
            self.heap_bytes = self.heap_bytes - row.heap_bytes() + new.heap_bytes();
            *row = new;
            self.watch(id);
        }
        id
    }

    fn add(&mut self, key: &[u8], row: Row, forward: impl FnOnce(RowId, &RowChange<'_>)) -> usize {
        let id = self.free.pop().unwrap_or(self.slots.len());
        forward(RowId::new(id), &Change { old: None, new: Some(row.view()) });
        self.heap_bytes += key.len() + row.heap_bytes();
        let slot = Some(Slot { key: key.into(), row, changed: false, silent_at: Millis::MAX });
        if id < self.slots.len() {
            self.slots[id] = slot;
        } else {
            self.slots.push(slot);
        }
        let Self { ids, slots, hasher, .. } = self;
        let hash = |id: &usize| hasher.hash_one(slots[*id].as_ref().map_or(key, |slot| &slot.key));
        ids.insert_unique(hasher.hash_one(key), id, hash);
        self.watch(id);
        id
    }

    /// Marks a row as changed.
    fn mark(&mut self, id: usize) {
        if let Some(slot) = &mut self.slots[id]
            && !std::mem::replace(&mut slot.changed, true)
        {
            self.changed.push(id);
        }
    }

    /// Gives a live row a deadline, if it has none. A deadline that is too early is corrected when it is due.
    fn watch(&mut self, id: usize) {
        if let Some(slot) = &mut self.slots[id]
            && slot.row.meta.live
            && slot.silent_at == Millis::MAX
        {
            // The row is silent when the timeout has passed, not at that moment.
            slot.silent_at = slot.row.meta.last_seen.saturating_add(self.timeout).saturating_add(Millis(1));
            self.silence.add(slot.silent_at, id);
        }
    }

    /// Removes a row, forwards the change, and returns the row's number and the row.
    pub(crate) fn remove(&mut self, key: &[u8], forward: impl FnOnce(RowId, &RowChange<'_>)) -> Option<(usize, Row)> {
        let (id, key, row) = self.take(key, forward)?;
        self.removed.push(key);
        Some((id, row))
    }

    /// Removes a row as the changelog did, and forwards the change. It does not count as changed.
    pub(crate) fn unload(&mut self, key: &[u8], forward: impl FnOnce(RowId, &RowChange<'_>)) -> Option<usize> {
        self.take(key, forward).map(|(id, ..)| id)
    }

    fn take(&mut self, key: &[u8], forward: impl FnOnce(RowId, &RowChange<'_>)) -> Option<(usize, Box<[u8]>, Row)> {
        let found = self
            .ids
            .find_entry(self.hasher.hash_one(key), |id| self.slots[*id].as_ref().is_some_and(|slot| &*slot.key == key));
        let (id, _) = found.ok()?.remove();
        let Slot { key, row, silent_at, .. } = self.slots[id].take()?;
        self.silence.remove(silent_at, id);
        self.heap_bytes -= key.len() + row.heap_bytes();
        forward(RowId::new(id), &Change { old: Some(row.view()), new: None });
        self.free.push(id);
        Some((id, key, row))
    }

    /// Marks the rows as no longer live that are silent at this time, and forwards each key and change.
    pub(crate) fn expire(&mut self, now: Millis, mut forward: impl FnMut(&[u8], RowId, &RowChange<'_>)) {
        while let Some(id) = self.silence.pop_due(now) {
            let Some(Slot { key, row, silent_at, .. }) = &mut self.slots[id] else { continue };
            *silent_at = Millis::MAX;
            if row.meta.live && row.meta.last_seen < now.saturating_sub(self.timeout) {
                let old = row.view();
                forward(key, RowId::new(id), &Change { old: Some(old), new: Some(RowView { live: false, ..old }) });
                row.meta.live = false;
            } else {
                self.watch(id);
            }
        }
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
        for id in 0..self.slots.len() {
            self.mark(id);
        }
    }

    /// The key of a row.
    pub(crate) fn key(&self, id: usize) -> &[u8] {
        self.slots[id].as_ref().map_or(&[], |slot| &slot.key)
    }
}
