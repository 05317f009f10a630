//! The counts that the observer reads at one moment, and the milestones of the experiment.

use std::time::Duration;

/// The counts of the fleet on `metrics` and `metrics-agg` at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Snapshot {
    /// How many records the producer reports as sent.
    pub(crate) sent: u64,
    /// How many records each consumer reports as processed.
    pub(crate) processed: [u64; 2],
    /// Whether the producer, consumer 1 and consumer 2 have sent their final reports.
    pub(crate) finished: [bool; 3],
    /// The aggregate `records_sent`.
    pub(crate) aggregate_sent: i128,
    /// The aggregate `records_processed`.
    pub(crate) aggregate_processed: i128,
    /// The audit's delta: processed minus sent.
    pub(crate) delta: i128,
}

/// A snapshot and its time from the start of the experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) seen: Snapshot,
}

/// A milestone of the experiment, such as the start of app-2.
#[derive(Debug, Clone)]
pub(crate) struct Milestone {
    /// The time from the start of the experiment.
    pub(crate) at: Duration,
    /// A short label such as `app-2 stops`, if the chart shows the milestone.
    pub(crate) mark: Option<&'static str>,
    /// A description for the progress output.
    pub(crate) text: String,
}

impl Snapshot {
    /// Returns whether all final reports are read and the totals include them.
    pub(crate) fn is_settled(&self) -> bool {
        let [by_1, by_2] = self.processed.map(i128::from);
        self.finished.iter().all(|finished| *finished)
            && self.aggregate_sent == i128::from(self.sent)
            && self.aggregate_processed == by_1 + by_2
            && self.delta == self.aggregate_processed - self.aggregate_sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLED: Snapshot = Snapshot {
        sent: 100,
        processed: [70, 40],
        finished: [true; 3],
        aggregate_sent: 100,
        aggregate_processed: 110,
        delta: 10,
    };

    #[test]
    fn a_snapshot_is_settled_when_the_totals_are_the_sums_of_the_final_reports() {
        assert!(SETTLED.is_settled());
        for unsettled in [
            Snapshot { finished: [true, true, false], ..SETTLED },
            Snapshot { aggregate_sent: 99, delta: 11, ..SETTLED },
            Snapshot { aggregate_processed: 109, delta: 9, ..SETTLED },
            Snapshot { delta: 9, ..SETTLED },
        ] {
            assert!(!unsettled.is_settled(), "{unsettled:?}");
        }
    }
}
