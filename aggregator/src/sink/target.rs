use std::time::{Duration, Instant};

use quipu_record::Aggregate;

use super::retry::Failure;

/// The database or the stream that a sink writes to.
pub(crate) trait Target {
    /// Writes a batch, in order. The result has the aggregates that the target rejected.
    ///
    /// # Errors
    /// The target did not accept the whole batch. The whole batch must be written again.
    fn write(&mut self, aggregates: &[Aggregate]) -> Result<Written, Unwritten>;

    /// How long after a write the points may still be lost, because the target does not acknowledge that it stored them.
    fn settle(&self) -> Duration {
        Duration::ZERO
    }

    /// Checks that the target has everything that was written up to `sent`. The settle time has passed since then.
    ///
    /// # Errors
    /// Points may be lost. Every batch that has not settled must be written again.
    fn confirm(&mut self, _sent: Instant) -> Result<(), Failure> {
        Ok(())
    }
}

/// The result of a batch that the target accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// How many aggregates the target stored.
    pub(crate) points: usize,
    /// How many aggregates have a name or a value that was cleaned.
    pub(crate) cleaned: usize,
    /// The aggregates that the target rejected, and why.
    pub(crate) rejected: Vec<Rejection>,
}

/// An aggregate that the target rejected, with the target's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) series: String,
    pub(crate) why: String,
}

/// Why a batch was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// The write failed, and must be repeated.
    Failed(Failure),
    /// The reader is gone, such as that of standard output after `| head`: the sink ends.
    Closed,
}

impl From<Failure> for Unwritten {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
