use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::health::Progress;

/// What the task and the rest of the process share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    stop: Arc<AtomicBool>,
    dead_letters_lost: Arc<AtomicUsize>,
    /// Where the task stands.
    pub(crate) progress: Progress,
}

impl Shared {
    /// Makes the task commit and end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Counts bad records whose copy Kafka rejected for good.
    pub(crate) fn lose_dead_letters(&self, lost: usize) {
        self.dead_letters_lost.fetch_add(lost, Ordering::Relaxed);
    }

    /// How many were counted since the last call.
    pub(crate) fn take_lost_dead_letters(&self) -> usize {
        self.dead_letters_lost.swap(0, Ordering::Relaxed)
    }
}
