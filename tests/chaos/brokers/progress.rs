//! When totals came, and for how long none came.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The moments at which a total came whose offset is higher than all before.
#[derive(Default)]
pub(crate) struct Progress(Mutex<Vec<(Instant, i64)>>);

impl Progress {
    /// Notes that a total with this offset came.
    pub(crate) fn note(&self, offset: i64) {
        let mut moments = self.moments();
        if moments.last().is_none_or(|(_, before)| *before < offset) {
            moments.push((Instant::now(), offset));
        }
    }

    /// Whether a total with this offset or a higher one came.
    pub(crate) fn has_reached(&self, offset: i64) -> bool {
        self.moments().last().is_some_and(|(_, reached)| *reached >= offset)
    }

    /// The longest time without progress that ended after this moment.
    pub(crate) fn longest_stop(&self, since: Instant) -> Duration {
        let moments = self.moments();
        let stops = moments.windows(2).filter(|pair| pair[1].0 >= since).map(|pair| pair[1].0 - pair[0].0);
        stops.max().unwrap_or_default()
    }

    fn moments(&self) -> MutexGuard<'_, Vec<(Instant, i64)>> {
        self.0.lock().expect("no panic")
    }
}
