use serde::Serialize;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// How many totals `metrics-agg` has.
    pub aggregates: usize,
    /// How many of them the log alone gives.
    pub by_log: usize,
    /// How many of them need rows that only the changelog has.
    pub with_changelog: usize,
    /// How many rows of the changelog agree with the log, as far as it has their records.
    pub rows: usize,
    /// The newest offset that a total was checked at.
    pub offset: Option<i64>,
    /// Where the log begins.
    pub log_start: i64,
    /// Where it ends.
    pub log_end: i64,
    /// How many records were read of it.
    pub records: u64,
    /// Whether there were more rows or series than the aggregator is configured to hold: what it refused for that, the
    /// log can't tell.
    pub over_limits: bool,
    /// What is not as it should be.
    pub differences: Vec<Difference>,
    /// The totals of which it can't be told.
    pub unanswered: Vec<Unanswered>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What is wrong.
    pub problem: Problem,
    /// The series; the key where it is a row or can't be read.
    pub name: String,
    /// The total that the log gives.
    pub expected: Option<i128>,
    /// The total that was found.
    pub found: Option<i128>,
    /// The offset on `metrics` that the question is about.
    pub offset: Option<i64>,
    /// More, in words.
    pub detail: Option<String>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// A total is not what the log gives at the offset that it carries.
    Total,
    /// A total changed, but was not said again.
    Stale,
    /// A series has no total.
    Missing,
    /// A record on `metrics-agg` is no aggregate, or stands under another series' key.
    Unreadable,
    /// A total or a row names an offset that the log does not have.
    BeyondLog,
    /// A row of the changelog is not what the log gives.
    Row,
}

/// A total of which it can't be told whether it is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unanswered {
    /// The series.
    pub series: String,
    /// The offset that it carries.
    pub offset: i64,
    /// Why not.
    pub why: &'static str,
}

impl Report {
    /// Whether nothing is wrong, as far as it can be told.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether there are totals, and not one of them could be checked.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        self.is_ok() && self.by_log + self.with_changelog == 0 && !self.unanswered.is_empty()
    }
}
