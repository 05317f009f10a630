use serde::Serialize;

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// How many totals `metrics-agg` has.
    pub aggregates: usize,
    /// How many of them the log alone confirms.
    pub by_log: usize,
    /// How many of them are confirmed with rows, or sums of expired rows, that only the changelog has.
    pub with_changelog: usize,
    /// How many rows of the changelog agree with the log, as far as it has their records.
    pub rows: usize,
    /// How many sums of expired rows in the changelog agree with the log. Where the log lacks records it can't give them.
    pub retired: usize,
    /// Whether rows expired at other times than the log gives with the configured retention. The totals are compared all
    /// the same.
    pub expired_otherwise: bool,
    /// The newest offset at which a total was checked.
    pub offset: Option<i64>,
    /// Where the log begins.
    pub log_start: i64,
    /// Where the log ends.
    pub log_end: i64,
    /// How many records of the log were read.
    pub records: u64,
    /// Whether there were more rows or series than the aggregator is configured to hold. The log does not show which of
    /// them the aggregator refused.
    pub over_limits: bool,
    /// The differences that were found.
    pub differences: Vec<Difference>,
    /// The totals that are confirmed, but not by the log alone.
    pub not_by_log: Vec<NotByLog>,
    /// The totals that could not be checked.
    pub unanswered: Vec<Unanswered>,
}

/// A difference between what is published and what the log gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The kind of the difference.
    pub problem: Problem,
    /// The series; for a row or an unreadable record, its key.
    pub name: String,
    /// The total that the log gives.
    pub expected: Option<i128>,
    /// The total that was found.
    pub found: Option<i128>,
    /// The offset on `metrics` at which the comparison was made.
    pub offset: Option<i64>,
    /// Details as text.
    pub detail: Option<String>,
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// A total differs from what the log gives at the offset that it carries.
    Total,
    /// A total changed, but was not published again.
    Stale,
    /// A series has no total.
    Missing,
    /// A record on `metrics-agg` is not an aggregate, or has the key of another series.
    Unreadable,
    /// A total or a row names an offset that the log does not have.
    BeyondLog,
    /// A row of the changelog differs from what the log gives.
    Row,
    /// What the changelog has of expired rows differs from what the log gives.
    Retired,
}

/// A total that is confirmed with the help of the changelog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotByLog {
    /// The series.
    pub series: String,
    /// How many of its rows are taken from the changelog.
    pub rows: u64,
    /// How many expired rows are in its retired sum, which is taken from the changelog.
    pub retired_rows: u64,
}

/// A total that could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// The series.
    pub series: String,
    /// The offset that the total carries.
    pub offset: i64,
    /// Why the total could not be checked.
    pub why: &'static str,
}

impl Report {
    /// Whether no difference was found.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether there are totals, and none of them could be checked.
    #[must_use]
    pub fn nothing_was_checked(&self) -> bool {
        self.is_ok() && self.by_log + self.with_changelog == 0 && !self.unanswered.is_empty()
    }
}
