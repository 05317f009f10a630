use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use quipu_record::{Millis, StateMarker};

use super::Deadlines;

/// The markers of runs and plain keys that expired.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    by_key: HashMap<Arc<[u8]>, Queued>,
    due: Deadlines<Arc<[u8]>>,
    changed: HashSet<Arc<[u8]>>,
}

#[derive(Debug)]
struct Queued {
    marker: StateMarker,
    /// Its deadline in the queue.
    due: Millis,
}

impl Markers {
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&StateMarker> {
        self.by_key.get(key).map(|queued| &queued.marker)
    }

    /// Adds the marker of a run, which is due at the given log time.
    pub(crate) fn add(&mut self, key: Arc<[u8]>, marker: StateMarker, due: Millis) {
        self.load(&key, Some((marker, due)));
        self.changed.insert(key);
    }

    /// Removes the marker of a run that reports again.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Some(key) = self.take(key) {
            self.changed.insert(key);
        }
    }

    /// Takes the marker that is due first, if it is due or if there are more than `max`.
    pub(crate) fn pop_due(&mut self, now: Millis, max: usize) -> Option<(Arc<[u8]>, StateMarker)> {
        let key = if self.len() > max { self.due.pop() } else { self.due.pop_due(now) }?;
        let Queued { marker, .. } = self.by_key.remove(&key)?;
        self.changed.insert(Arc::clone(&key));
        Some((key, marker))
    }

    /// Takes over a marker as the changelog has it, with the log time at which it is due, or its removal.
    pub(crate) fn load(&mut self, key: &[u8], marker: Option<(StateMarker, Millis)>) {
        self.take(key);
        if let Some((marker, due)) = marker {
            let key: Arc<[u8]> = key.into();
            self.due.add(due, Arc::clone(&key));
            self.by_key.insert(key, Queued { marker, due });
        }
    }

    fn take(&mut self, key: &[u8]) -> Option<Arc<[u8]>> {
        let (key, Queued { due, .. }) = self.by_key.remove_entry(key)?;
        self.due.remove(due, Arc::clone(&key));
        Some(key)
    }

    /// Removes all markers.
    pub(crate) fn clear(&mut self) {
        self.changed.extend(self.by_key.drain().map(|(key, _)| key));
        self.due = Deadlines::default();
    }

    /// Passes the markers that were added or removed since the last call.
    pub(crate) fn take_changed(&mut self, mut changed: impl FnMut(&[u8], Option<&StateMarker>)) {
        for key in self.changed.drain() {
            changed(&key, self.by_key.get(&key).map(|queued| &queued.marker));
        }
    }

    /// Marks all as changed.
    pub(crate) fn touch(&mut self) {
        self.changed.extend(self.by_key.keys().map(Arc::clone));
    }
}
