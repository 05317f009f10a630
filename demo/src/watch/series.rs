//! Keeps the snapshots of a whole experiment in bounded memory.

use std::time::Duration;

use super::snapshot::{Sample, Snapshot};

/// The most samples that are kept, which is more than a chart has pixels.
const CAPACITY: usize = 2048;

/// The samples from the start to now. The longer the experiment lasts, the larger is the time between two samples.
#[derive(Debug, Default)]
pub(crate) struct Series {
    samples: Vec<Sample>,
    last: Option<Sample>,
    spacing: Duration,
}

impl Series {
    pub(crate) fn push(&mut self, at: Duration, seen: Snapshot) {
        self.last = Some(Sample { at, seen });
        if self.samples.last().is_some_and(|last| at < last.at + self.spacing) {
            return;
        }
        if self.samples.len() == CAPACITY {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.spacing = at / u32::try_from(CAPACITY / 2).unwrap_or(u32::MAX);
        }
        self.samples.push(Sample { at, seen });
    }

    /// Returns the samples in the order of time; the last one is always the newest.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let newest = self.last.filter(|last| self.samples.last().is_none_or(|kept| kept.at < last.at));
        self.samples.iter().copied().chain(newest).collect()
    }

    /// Returns the number of records sent per second, over the last three seconds.
    #[expect(clippy::cast_precision_loss, reason = "a rate is only displayed")]
    pub(crate) fn sending_rate(&self) -> f64 {
        const WINDOW: Duration = Duration::from_secs(3);
        let Some(last) = self.last else { return 0.0 };
        let first = self.samples.iter().rev().find(|sample| sample.at + WINDOW <= last.at).or(self.samples.first());
        let Some(first) = first.filter(|first| first.at < last.at) else { return 0.0 };
        last.seen.sent.saturating_sub(first.seen.sent) as f64 / last.at.abs_diff(first.at).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(count: u64) -> Series {
        let mut series = Series::default();
        for index in 0..count {
            let seen = Snapshot { sent: index * 100, ..Snapshot::default() };
            series.push(Duration::from_millis(index * 100), seen);
        }
        series
    }

    #[test]
    fn a_long_experiment_keeps_fewer_samples_of_its_whole_time() {
        let samples = series(100_000).samples();
        assert!(samples.len() <= CAPACITY + 1, "{}", samples.len());
        assert!(samples.is_sorted_by(|a, b| a.at < b.at));
        assert_eq!((samples[0].at, samples[samples.len() - 1].seen.sent), (Duration::ZERO, 9_999_900));
        let gap = samples.windows(2).map(|pair| pair[1].at.abs_diff(pair[0].at)).max().unwrap();
        assert!(gap < Duration::from_secs(25), "{gap:?}");
    }

    #[test]
    fn the_sending_rate_is_that_of_the_last_seconds() {
        assert!((series(100).sending_rate() - 1000.0).abs() < 1e-6);
        assert!(series(1).sending_rate().abs() < 1e-6);
    }
}
