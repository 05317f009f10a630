//! Rows that expire. A row that was silent for long enough, in log time, is *retired*: what it contributed goes to the
//! retired sum of each series, so that no total changes, and a marker keeps a late record from being counted again.
//!
//! [`Runs`] decides which rows expire when, [`Markers`] what is known of those that did, and [`Retired`] has their sums.

mod deadlines;
mod log_time;
mod markers;
mod retired;
mod runs;

use quipu_record::Millis;

pub(crate) use deadlines::Deadlines;
pub(crate) use log_time::LogTime;
pub(crate) use markers::Markers;
pub(crate) use retired::Retired;
pub(crate) use runs::Runs;

/// How much later than a record's timestamp its run may have begun, by its own clock, to have a known history.
pub(crate) const MAX_CLOCK_AHEAD: Millis = Millis(60 * 60 * 1000);

/// After how much log time rows are retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// A run, or a plain key that may expire, without a record for this long; `None`: never.
    pub runs: Option<Millis>,
    /// A run whose parts are all final for this long; `None`: not before `runs`.
    pub finished: Option<Millis>,
}

impl Retention {
    /// Whether rows are retired at all.
    pub(crate) fn is_on(&self) -> bool {
        self.runs.is_some() || self.finished.is_some()
    }

    /// How long a marker is kept.
    pub(crate) fn of_markers(&self) -> Millis {
        const WEEK: Millis = Millis(7 * 24 * 60 * 60 * 1000);
        self.runs.unwrap_or(WEEK)
    }
}

/// What the table knows of what was counted before the first record of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum History {
    /// Nothing was counted before, or all of it is in the record and in no total.
    Known,
    /// A part of the record's counts may be in the totals already: the row begins with a baseline.
    Unknown,
    /// The record is older than one that was counted before its run expired.
    Stale,
}
