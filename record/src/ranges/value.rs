use crate::Offset;
use crate::ranges::{Layers, Spans};

/// What a run has done with the records of one partition since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// What was processed at least once, at least twice, and so on.
    pub layers: Layers,
    /// What was passed over between two deliveries, because there was no record to deliver.
    pub skipped: Spans,
    /// What was delivered and is not processed yet.
    pub in_hand: Spans,
    /// The highest offset that this run has committed.
    pub committed: Option<Offset>,
    /// The end of the log, as far as this run knows it.
    pub end: Option<Offset>,
    /// Whether ranges were merged because there were too many, or more layers were needed than there may be: a range
    /// that is not full may then lack any of its offsets, `skipped` may have too many, and duplicates are a lower
    /// bound.
    pub inexact: bool,
    /// Whether this run has committed an offset although the report before the commit was not acknowledged.
    pub unpublished: bool,
}

impl Ranges {
    /// The number of ranges, for which [`limits::RANGES`](crate::limits::RANGES) is the limit.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.len() + self.skipped.len() + self.in_hand.len()
    }

    /// Whether there is no range.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this value can be the later one of the same run: within a run, neither the layers nor the committed
    /// offset shrink. If it can't, the record that has it is bad
    /// ([`BadRecord::RangesShrank`](crate::BadRecord::RangesShrank)).
    #[must_use]
    pub fn continues(&self, before: &Self) -> bool {
        self.layers.continues(&before.layers)
            && self.committed >= before.committed
            && self.inexact >= before.inexact
            && self.unpublished >= before.unpublished
    }
}
