//! What the application and the reporter's thread exchange: a few values under a lock that neither holds for long.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;
use crate::stats::Progress;

#[derive(Default)]
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the application requests from the thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// The number of flushes requested so far.
    pub(crate) flush: u64,
    /// Send the final report and end.
    pub(crate) stop: bool,
    /// End at once.
    pub(crate) abandon: bool,
}

#[derive(Default)]
struct State {
    request: Request,
    /// The newest flush that Kafka has acknowledged.
    flushed: u64,
    /// Whether Kafka has acknowledged the final report.
    closed: bool,
    /// Whether the thread has ended.
    ended: bool,
    progress: Progress,
}

/// The application's side.
impl Control {
    /// Waits until every count made before this call is acknowledged.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let mut state = self.lock();
        if state.request.stop {
            return Err(Error::ShutDown);
        }
        state.request.flush += 1;
        let ticket = state.request.flush;
        self.wait(state, timeout, |state| state.flushed >= ticket, |state| state.flushed >= ticket)
    }

    /// Requests the final report, and waits until it is acknowledged and the thread has closed its Kafka client.
    pub(crate) fn stop(&self, timeout: Duration) -> Result<(), Error> {
        let mut state = self.lock();
        state.request.stop = true;
        self.wait(state, timeout, |state| state.ended, |state| state.closed)
    }

    /// Whether the shutdown was requested already.
    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().request.stop
    }

    /// Makes the thread end at once, without waiting for it.
    pub(crate) fn abandon(&self) {
        self.lock().request.abandon = true;
        self.changed.notify_all();
    }

    pub(crate) fn progress(&self) -> Progress {
        self.lock().progress.clone()
    }

    fn wait(
        &self,
        state: MutexGuard<'_, State>,
        timeout: Duration,
        is_done: impl Fn(&State) -> bool,
        is_good: impl Fn(&State) -> bool,
    ) -> Result<(), Error> {
        self.changed.notify_all();
        let waits = |state: &mut State| !is_done(state) && !state.ended;
        let (state, _) = self.changed.wait_timeout_while(state, timeout, waits).unwrap_or_else(PoisonError::into_inner);
        if is_good(&state) {
            return Ok(());
        }
        if state.ended {
            return Err(Error::ShutDown);
        }
        let reason = match &state.progress.last_error {
            Some((message, at)) => format!("{message} ({:?} ago)", at.elapsed()),
            None => "no error so far; check that a broker is reachable and that the topic exists".to_owned(),
        };
        Err(Error::Timeout { waited: timeout, reason })
    }
}

/// The thread's side.
impl Control {
    pub(crate) fn request(&self) -> Request {
        self.lock().request
    }

    /// Waits until the request differs from this one, or until the deadline.
    pub(crate) fn rest(&self, seen: Request, deadline: Instant) {
        let timeout = deadline.saturating_duration_since(Instant::now());
        drop(self.changed.wait_timeout_while(self.lock(), timeout, |state| state.request == seen));
    }

    pub(crate) fn publish(&self, progress: Progress, flushed: u64, closed: bool) {
        let mut state = self.lock();
        state.progress = progress;
        let news = state.flushed != flushed || state.closed != closed;
        state.flushed = flushed;
        state.closed = closed;
        drop(state);
        if news {
            self.changed.notify_all();
        }
    }

    /// Records that the thread has ended, for any reason.
    pub(crate) fn ended(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
