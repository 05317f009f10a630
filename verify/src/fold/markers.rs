use std::collections::{BTreeSet, HashMap};

use quipu_record::{Millis, StateMarker};

use super::in_future;

/// The markers of expired runs and plain keys, in the order in which they are dropped.
#[derive(Debug, Default)]
pub(super) struct Markers {
    markers: HashMap<Box<[u8]>, (StateMarker, Millis)>,
    queue: BTreeSet<(Millis, Box<[u8]>)>,
}

impl Markers {
    pub(super) fn get(&self, key: &[u8]) -> Option<StateMarker> {
        self.markers.get(key).map(|(marker, _)| *marker)
    }

    pub(super) fn len(&self) -> usize {
        self.markers.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&[u8], StateMarker)> {
        self.markers.iter().map(|(key, (marker, _))| (&**key, *marker))
    }

    /// Adds a marker, which is dropped at the age `age`.
    pub(super) fn insert(&mut self, key: &[u8], marker: StateMarker, age: Millis) {
        let due = marker.log_time.saturating_add(age);
        self.remove(key);
        self.queue.insert((due, key.into()));
        self.markers.insert(key.into(), (marker, due));
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        if let Some((_, due)) = self.markers.remove(key) {
            self.queue.remove(&(due, key.into()));
        }
    }

    /// Drops the markers that are due at log time `now`, and the first ones beyond `limit`. Returns when the latest of
    /// them began.
    ///
    /// What began in the future, by the time of the present record, had a wrong clock. It does not count, so that the
    /// horizon does not get into the future, and its marker is kept for another `age`, unless there are too many.
    pub(super) fn drop_due(&mut self, now: Millis, age: Millis, limit: usize, timestamp: Millis) -> Option<Millis> {
        let mut latest = None;
        while let Some((due, _)) = self.queue.first() {
            let is_over = self.queue.len() > limit;
            if *due > now && !is_over {
                break;
            }
            let Some((_, key)) = self.queue.pop_first() else { break };
            let Some((marker, _)) = self.markers.remove(&key) else { break };
            if !in_future(marker.began, timestamp) {
                latest = latest.max(marker.began);
            } else if !is_over {
                self.insert(&key, StateMarker { log_time: now, ..marker }, age);
            }
        }
        latest
    }
}
