use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A flag that stops threads, and wakes those that wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    pub(super) fn set(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    pub(super) fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the flag is set, or for `time`.
    pub(super) fn wait(&self, time: Duration) {
        let guard = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The caller's loop checks the flag, so the result is not needed.
        drop(self.0.1.wait_timeout_while(guard, time, |is_set| !*is_set));
    }
}
