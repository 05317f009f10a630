use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Much longer than any wait takes on a busy machine; a wait that reaches it has hung.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks the threads of a test to end, also when the test fails, because a scope waits for its threads.
#[derive(Default)]
pub struct Stop(AtomicBool);

impl Stop {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns a guard that asks the threads to end when it is dropped.
    pub fn guard(&self) -> StopGuard<'_> {
        StopGuard(self)
    }
}

pub struct StopGuard<'a>(&'a Stop);

impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Polls until `probe` returns a value. Fails the test after [`DEADLINE`] and names `what` it waited for.
#[expect(clippy::disallowed_methods, reason = "a process or a topic can only be polled from outside")]
#[track_caller]
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
