use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Far more than anything takes on a busy machine: whoever waits this long has hung.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Tells the threads of a test to end, also when the test fails: the scope that they are in waits for them.
#[derive(Default)]
pub struct Stop(AtomicBool);

impl Stop {
    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Tells them when the guard is dropped.
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

/// Polls until `probe` has an answer; fails the test after [`DEADLINE`], naming what it waited for.
#[expect(clippy::disallowed_methods, reason = "a process or a topic wakes nobody who looks at it from outside")]
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
