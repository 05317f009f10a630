//! A disk, as the engine sees it, with faults.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use quipu_aggregator::engine::{Checkpoint, Port, RowUpdate, Store};
use quipu_record::Offset;

use crate::kafka::{End, Fault, World};
use crate::random::Random;

/// What is on a machine's disk, and what was on it a little earlier: a power failure takes the last writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    checkpoint: Option<Checkpoint>,
    earlier: Vec<Disk>,
}

impl Disk {
    pub(crate) fn lose_last_writes(&mut self, writes: usize) {
        for _ in 0..writes {
            if let Some(Disk { rows, checkpoint, .. }) = self.earlier.pop() {
                (self.rows, self.checkpoint) = (rows, checkpoint);
            }
        }
    }

    /// The position that its rows have.
    pub(crate) fn position(&self) -> Option<Offset> {
        self.checkpoint.map(|checkpoint| checkpoint.position)
    }

    pub(crate) fn damage(&mut self, random: &mut Random) {
        let at = random.below(self.rows.len());
        if let Some(row) = self.rows.values_mut().nth(at) {
            row.truncate(row.len() / 2);
        }
    }
}

pub(crate) struct SimStore {
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) disk: Rc<RefCell<Disk>>,
}

impl Port for SimStore {
    type Error = End;
}

impl Store for SimStore {
    fn load(&mut self, row: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Option<Checkpoint>, End> {
        let mut disk = self.disk.borrow_mut();
        if disk.checkpoint.is_some() && !disk.rows.iter().all(|(key, value)| row(key, value)) {
            *disk = Disk::default();
        }
        Ok(disk.checkpoint)
    }

    fn clear(&mut self) -> Result<(), End> {
        *self.disk.borrow_mut() = Disk::default();
        Ok(())
    }

    fn write(&mut self, rows: &[RowUpdate], checkpoint: Option<Checkpoint>) -> Result<(), End> {
        let fault = self.world.borrow_mut().fault();
        if fault == Some(Fault::CrashBefore) {
            return Err(End::Crash);
        }
        let mut disk = self.disk.borrow_mut();
        let before = Disk { rows: disk.rows.clone(), checkpoint: disk.checkpoint, earlier: Vec::new() };
        disk.earlier.push(before);
        for RowUpdate { key, value } in rows {
            match value {
                Some(value) => disk.rows.insert(key.clone(), value.clone()),
                None => disk.rows.remove(key),
            };
        }
        disk.checkpoint = checkpoint.or(disk.checkpoint);
        if fault == Some(Fault::CrashAfter) { Err(End::Crash) } else { Ok(()) }
    }

    fn close(&mut self) {}
}
