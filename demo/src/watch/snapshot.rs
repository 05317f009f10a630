//! What an outside observer sees at a moment, and what it saw from the first moment on.

use std::time::Duration;

/// The counts of the fleet as they stand on `metrics` and `metrics-agg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Snapshot {
    /// What the producer reports as sent.
    pub(crate) sent: u64,
    /// What each consumer reports as processed.
    pub(crate) processed: [u64; 2],
    /// Whether producer, consumer 1 and consumer 2 have sent their last report.
    pub(crate) finished: [bool; 3],
    /// The aggregate `records_sent`.
    pub(crate) aggregate_sent: i128,
    /// The aggregate `records_processed`.
    pub(crate) aggregate_processed: i128,
    /// The audit's delta: processed minus sent.
    pub(crate) delta: i128,
}

/// A snapshot and when it was taken, from the start of the experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) seen: Snapshot,
}

/// Something that happened, from the start of the experiment.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    /// What a chart has room for (`app-2 stops`), if it is to be marked there.
    pub(crate) mark: Option<&'static str>,
    /// What it means, in a sentence.
    pub(crate) meaning: String,
}

impl Snapshot {
    /// Whether every last report is there and the totals reflect them all.
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
    fn it_is_settled_when_the_totals_are_the_sums_of_the_last_reports() {
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
