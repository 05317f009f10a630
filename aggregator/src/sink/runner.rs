//! A sink's thread: reads totals, writes them to the target, and commits what the target has.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use quipu_config::MAX_BATCH;
use tracing::{debug, error, info, warn};

use crate::error::Error;
use crate::rate_limit::RateLimit;
use crate::shared::Shared;

use super::outbox::Outbox;
use super::reader::Reader;
use super::retry::{Backoff, Failure};
use super::status::Status;
use super::target::{Target, Unwritten, Written};

/// How long a sink whose outbox is full waits before it looks whether something has settled, which takes seconds.
const FULL_WAIT: Duration = Duration::from_millis(100);

pub(crate) struct Runner {
    pub(crate) name: String,
    pub(crate) reader: Reader,
    pub(crate) target: Box<dyn Target + Send>,
    pub(crate) status: Arc<Status>,
    pub(crate) shared: Shared,
    outbox: Outbox,
    backoff: Backoff,
    rejected_lines: RateLimit,
}

impl Runner {
    pub(crate) fn new(
        name: String,
        reader: Reader,
        target: Box<dyn Target + Send>,
        status: Arc<Status>,
        shared: Shared,
    ) -> Self {
        let rejected_lines = RateLimit::new(5, 10_000);
        Self {
            name,
            reader,
            target,
            status,
            shared,
            outbox: Outbox::default(),
            backoff: Backoff::default(),
            rejected_lines,
        }
    }

    /// Runs until it is told to stop, or nobody reads the target any more. What is not committed then is written again
    /// at the next start.
    ///
    /// # Errors
    /// A call of the consumer did not return.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        info!(sink = self.name, "sink started");
        while !self.shared.stopping() {
            self.reader.check()?;
            if let Err(unwritten) = self.step() {
                match unwritten {
                    Unwritten::Closed => {
                        info!(sink = self.name, "nobody reads the output any more; the sink ends");
                        self.reader.close();
                        return Ok(());
                    }
                    Unwritten::Failed(failure) => self.failed(&failure),
                }
            }
        }
        info!(sink = self.name, "sink stopped");
        self.reader.close();
        Ok(())
    }

    /// Reads, writes and commits once.
    fn step(&mut self) -> Result<(), Unwritten> {
        if self.outbox.is_full() {
            // The target has yet to settle.
            self.reader.wait(FULL_WAIT, &self.shared);
            self.forget_revoked();
        } else {
            let batch = self.reader.read(MAX_BATCH, &self.shared);
            self.forget_revoked();
            if !batch.is_empty() {
                self.outbox.push(batch);
            }
        }
        self.status.unreadable(self.reader.take_unreadable());
        while let Some(batch) = self.outbox.next() {
            // Progress alone is nothing to connect for.
            if !batch.aggregates.is_empty() {
                let written = self.target.write(&batch.aggregates)?;
                self.written(&written);
            }
            self.outbox.sent(Instant::now());
        }
        self.commit()
    }

    /// Whoever has the partitions now begins at the group's position, and be it this process.
    fn forget_revoked(&mut self) {
        if self.reader.take_revoked() {
            self.outbox.clear();
        }
    }

    fn commit(&mut self) -> Result<(), Unwritten> {
        let Some(sent) = self.outbox.settled(Instant::now(), self.target.settle()) else {
            return Ok(());
        };
        self.target.confirm(sent)?;
        // Not before: a peer that takes bytes and reads none of them fails here, each time.
        self.backoff.reset();
        let position = self.outbox.take_sent(sent);
        match self.reader.commit(&position) {
            Ok(()) => debug!(sink = self.name, ?position, "committing"),
            // The next commit has a newer position; until then a restart would repeat a little, no more.
            Err(error) => warn!(sink = self.name, %error, "can't commit the sink's position, and tries again"),
        }
        Ok(())
    }

    fn written(&mut self, written: &Written) {
        self.status.written(written.points, written.cleaned, written.rejected.len());
        for rejection in &written.rejected {
            if let Some(not_logged) = self.rejected_lines.ask(now_ms()) {
                let (series, why) = (rejection.series.escape_debug(), rejection.why.escape_debug());
                warn!(sink = self.name, %series, not_logged, "the target can't have this total, and it is skipped: {why}");
            }
        }
    }

    fn failed(&mut self, failure: &Failure) {
        self.outbox.failed();
        self.status.failed(&failure.why);
        let wait = self.backoff.after(failure, random());
        let why = failure.why.escape_debug();
        let wait_ms = wait.as_millis();
        if failure.is_refusal {
            error!(
                sink = self.name,
                wait_ms, "the target refuses; mend it or the sink's configuration; nothing is lost meanwhile: {why}"
            );
        } else {
            warn!(sink = self.name, wait_ms, "the target did not accept, and is tried again: {why}");
        }
        self.reader.wait(wait, &self.shared);
    }
}

/// Between 0 and 1, good enough for jitter: the standard library seeds its hashers at random.
#[expect(clippy::cast_precision_loss, reason = "53 bits are enough")]
fn random() -> f64 {
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
