//! What the end-to-end tests share: servers, clients, processes, and waiting with a deadline.

mod aggregator;
mod cluster;
mod freeze;
mod http;
pub(crate) mod kafka;
mod kcat;
mod outsider;
pub(crate) mod process;
mod records;

use std::env;
use std::io::{Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use aggregator::{Aggregator, Pipeline};
pub(crate) use cluster::Cluster;
pub(crate) use freeze::Frozen;
pub(crate) use http::get;
pub(crate) use kafka::Kafka;
pub(crate) use kcat::Kcat;
pub(crate) use outsider::Outsider;
pub(crate) use process::{Process, quipu};
pub(crate) use records::{plain, report, run};

/// Far more than anything takes on a busy machine: whoever waits this long has hung.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Why a server or a foreign client cannot be had here.
#[derive(Clone, Debug)]
pub(crate) struct Missing(pub(crate) String);

/// The server, or `None` where it is missing and the test is to return at once. Under `CI=true` a missing server is a
/// failure: nobody would notice there that a test has stopped running.
#[track_caller]
pub(crate) fn require<T>(server: Result<T, Missing>) -> Option<T> {
    match server {
        Ok(server) => Some(server),
        Err(Missing(why)) if env::var_os("CI").is_some_and(|ci| ci == "true") => {
            panic!("missing under CI: {why}")
        }
        Err(Missing(why)) => {
            let current = thread::current();
            let test = current.name().unwrap_or("a test");
            // Not `eprintln!`, which the test runner keeps to itself when a test passes.
            _ = writeln!(stderr(), "skipped: {test}: {why}");
            None
        }
    }
}

/// Tells the threads of a test to end, also when the test fails: the scope that they are in waits for them.
#[derive(Default)]
pub(crate) struct Stop(AtomicBool);

impl Stop {
    pub(crate) fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Tells them when the guard is dropped.
    pub(crate) fn guard(&self) -> StopGuard<'_> {
        StopGuard(self)
    }
}

pub(crate) struct StopGuard<'a>(&'a Stop);

impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Polls until `probe` has an answer; fails the test after [`DEADLINE`], naming what it waited for.
#[expect(clippy::disallowed_methods, reason = "a process or a topic wakes nobody who looks at it from outside")]
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
