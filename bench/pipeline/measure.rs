//! The measurements of one program, and the median of several rounds.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::Usage;

/// How fast a topic was read, and the resources that this used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Counters per second, from the first record to the last total.
    pub(crate) rate: f64,
    /// Seconds of CPU per million counters.
    pub(crate) cpu: f64,
    /// The peak resident memory of the process, in MB.
    pub(crate) peak_rss: f64,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 records")]
    pub(crate) fn new(counters: u64, took: Duration, usage: Usage) -> Result<Self> {
        ensure!(counters > 0 && !took.is_zero(), "nothing was read");
        let counters = counters as f64;
        Ok(Self { rate: counters / took.as_secs_f64(), cpu: usage.cpu / counters * 1e6, peak_rss: usage.peak_rss })
    }
}

/// The median (of an even number of values, the upper one of the middle two).
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
