use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the task and the rest of the process tell each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    stop: Arc<AtomicBool>,
    ready: Arc<AtomicBool>,
}

impl Shared {
    /// Makes the task commit and end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Whether the log was read to the end that it had at assignment.
    pub(crate) fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}
