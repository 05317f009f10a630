//! The thread of a sink: it reads totals, writes them to the target, and commits what the target accepted.

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

/// How long a sink with a full outbox waits before it checks again whether a batch has settled.
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

    /// Runs until the process stops, or until the reader of standard output is gone. What is not committed by then is
    /// written again at the next start.
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
                        info!(sink = self.name, "the reader of standard output is gone; the sink ends");
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
            self.reader.wait(FULL_WAIT, &self.shared);
            self.drop_revoked();
        } else {
            let batch = self.reader.read(MAX_BATCH, &self.shared);
            self.drop_revoked();
            if !batch.is_empty() {
                self.outbox.push(batch);
            }
        }
        self.status.unreadable(self.reader.take_unreadable());
        while let Some(batch) = self.outbox.next() {
            // A batch without aggregates needs no connection.
            if !batch.aggregates.is_empty() {
                let written = self.target.write(&batch.aggregates)?;
                self.written(&written);
            }
            self.outbox.sent(Instant::now());
        }
        self.commit()
    }

    /// Drops what was read before a revocation. Reading continues at the group's position, in this process or in another.
    fn drop_revoked(&mut self) {
        if self.reader.take_revoked() {
            self.outbox.clear();
        }
    }

    fn commit(&mut self) -> Result<(), Unwritten> {
        let Some(sent) = self.outbox.settled(Instant::now(), self.target.settle()) else {
            return Ok(());
        };
        self.target.confirm(sent)?;
        // The backoff is not reset after a write, because a peer that accepts bytes and never reads them fails only here.
        self.backoff.reset();
        let position = self.outbox.take_sent(sent);
        match self.reader.commit(&position) {
            Ok(()) => debug!(sink = self.name, ?position, "committing the sink's position"),
            // After a restart the sink would only repeat some writes.
            Err(error) => {
                warn!(sink = self.name, %error, "can't commit the sink's position; the next commit has a newer one");
            }
        }
        Ok(())
    }

    fn written(&mut self, written: &Written) {
        self.status.written(written.points, written.cleaned, written.rejected.len());
        for rejection in &written.rejected {
            if let Some(not_logged) = self.rejected_lines.ask(now_ms()) {
                let (series, why) = (rejection.series.escape_debug(), rejection.why.escape_debug());
                warn!(sink = self.name, %series, not_logged, "the target rejects this total; it is skipped: {why}");
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
                wait_ms, "the target refuses all writes; correct it or the sink's configuration; retrying: {why}"
            );
        } else {
            warn!(sink = self.name, wait_ms, "the write to the target failed; retrying: {why}");
        }
        self.reader.wait(wait, &self.shared);
    }
}

/// A number between 0 and 1 for jitter. The standard library seeds its hashers with random numbers.
#[expect(clippy::cast_precision_loss, reason = "53 bits are enough")]
fn random() -> f64 {
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
