use std::time::{Duration, Instant};

use quipu_record::Aggregate;

use super::retry::Failure;

/// Where a sink writes.
pub(crate) trait Target {
    /// Writes a batch, in order. What is wrong with single aggregates is told in the outcome.
    ///
    /// # Errors
    /// The target did not take (all of) the batch; it is to be written again as a whole.
    fn write(&mut self, aggregates: &[Aggregate]) -> Result<Written, Unwritten>;

    /// How long after a write it may still be lost, because the target does not acknowledge that it is stored.
    fn settle(&self) -> Duration {
        Duration::ZERO
    }

    /// Makes sure that the target still has what was written up to `sent`, which is longer ago than the settle time.
    ///
    /// # Errors
    /// It may be lost: all that has not settled is to be written again.
    fn confirm(&mut self, _sent: Instant) -> Result<(), Failure> {
        Ok(())
    }
}

/// What became of a batch that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// How many aggregates the target has.
    pub(crate) points: usize,
    /// How many of them have a name or a value that was cleaned.
    pub(crate) cleaned: usize,
    /// What the target can't have, and why, in its own words.
    pub(crate) rejected: Vec<Rejection>,
}

/// An aggregate that the target can't have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) series: String,
    pub(crate) why: String,
}

/// Why a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// Try again.
    Failed(Failure),
    /// Nobody reads any more, as with standard output after `| head`: the sink ends.
    Closed,
}

impl From<Failure> for Unwritten {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
