//! The checked settings of a reporter.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::part::Pace;
use crate::parts::RunInfo;

pub(crate) struct Settings {
    pub(crate) brokers: String,
    pub(crate) instance: Arc<str>,
    pub(crate) topic: String,
    pub(crate) interval: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) max_record_bytes: usize,
    pub(crate) drop_timeout: Duration,
    pub(crate) properties: Vec<(String, String)>,
    /// Returns the id of this process: [`std::process::id`], except in a test of forks.
    pub(crate) pid: fn() -> u32,
}

/// How long a report that failed immediately waits for its retry; the interval, if that is shorter.
const RETRY: Duration = Duration::from_secs(1);

impl Settings {
    pub(crate) fn run_info(&self, run: Uuid) -> RunInfo {
        RunInfo {
            instance: Arc::clone(&self.instance),
            run,
            interval_ms: u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX),
            max_record_bytes: self.max_record_bytes,
            pace: Pace { heartbeat: self.heartbeat, retry: RETRY.min(self.interval) },
        }
    }
}
