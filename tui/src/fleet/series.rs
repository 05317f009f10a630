use std::sync::Arc;

use quipu_record::{Series, Total};

use super::history::History;

/// The id of a series within one [`Fleet`](super::Fleet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub(super) u32);

/// A series and its fleet-wide total.
#[derive(Debug, Clone)]
pub struct ObservedSeries {
    pub(super) id: SeriesId,
    pub(super) series: Arc<Series>,
    pub(super) text: String,
    pub(super) total: Option<ObservedTotal>,
    pub(super) history: History,
    pub(super) reporters: u32,
    /// The offset of the newest record by which a run counts the series differently.
    pub(super) counted_at: Option<i64>,
}

/// A fleet-wide total from the newest aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedTotal {
    /// The total.
    pub total: Total,
    /// The event time in ms.
    pub timestamp: i64,
    /// The offset on `metrics` of the last record that the total includes.
    pub offset: i64,
    /// How many live runs contribute according to the aggregator.
    pub instances: u64,
}

impl ObservedTotal {
    /// Returns the number that tables and charts show.
    #[must_use]
    pub fn count(&self) -> i128 {
        match self.total {
            Total::Counter(count) | Total::Delta(count) => count,
        }
    }
}

impl ObservedSeries {
    /// Returns the id of the series.
    #[must_use]
    pub fn id(&self) -> SeriesId {
        self.id
    }

    /// Returns the name and labels.
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Returns the series as text. It is not escaped and may hold control characters.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the total from the newest aggregate; `None` if only reports have the series.
    #[must_use]
    pub fn total(&self) -> Option<&ObservedTotal> {
        self.total.as_ref()
    }

    /// Returns the history of the total over event time.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Returns how many runs report the series, in any state.
    #[must_use]
    pub fn reporters(&self) -> u32 {
        self.reporters
    }

    /// Returns whether this is one of Quipu's own series.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.series.name().starts_with("quipu_")
    }

    /// Returns whether the series has a total or a reporting run.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.total.is_some() || self.reporters > 0
    }
}
