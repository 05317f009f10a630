//! Where the task stands, for the threads that watch it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The step that the task makes now. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<Standing>>);

/// A step, and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) step: &'static str,
    pub(crate) since: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Standing { step: "starting", since: Instant::now() })))
    }
}

impl Progress {
    /// The task begins this step, be it the one that it made before.
    pub(crate) fn step(&self, step: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Standing { step, since: Instant::now() };
    }

    pub(crate) fn standing(&self) -> Standing {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
