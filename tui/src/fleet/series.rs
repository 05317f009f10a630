use std::sync::Arc;

use quipu_record::{AggregateType, Series};

use super::history::History;

/// Stands for a series within one [`Fleet`](super::Fleet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub(super) u32);

/// A series and its fleet-wide total.
#[derive(Debug, Clone)]
pub struct ObservedSeries {
    pub(super) id: SeriesId,
    pub(super) series: Arc<Series>,
    pub(super) text: String,
    pub(super) total: Option<Total>,
    pub(super) history: History,
    pub(super) reporters: u32,
}

/// A fleet-wide total as the newest aggregate states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Whether it can go down.
    pub kind: AggregateType,
    /// The total.
    pub count: i128,
    /// Event time in ms.
    pub timestamp: i64,
    /// The offset on `metrics` up to which it is true, inclusively.
    pub offset: i64,
    /// How many live runs contribute, as the aggregator says.
    pub instances: u64,
}

impl ObservedSeries {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> SeriesId {
        self.id
    }

    /// The series.
    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// The series' text form, as it is: it may hold control characters.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The newest aggregate; none if only reports of the series were seen.
    #[must_use]
    pub fn total(&self) -> Option<Total> {
        self.total
    }

    /// How the total went, over event time.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How many known runs report it, whatever their state.
    #[must_use]
    pub fn reporters(&self) -> u32 {
        self.reporters
    }

    /// Whether it is one of Quipu's own series.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.series.name().starts_with("quipu_")
    }

    /// Whether there is anything to show of it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.total.is_some() || self.reporters > 0
    }
}
