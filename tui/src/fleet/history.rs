use std::collections::VecDeque;

/// A rate is averaged over this time, so that the intervals of reports and commits are not visible in it.
const RATE_WINDOW_MS: i64 = 5_000;
/// The bounds of the hold time. Within the hold time after a sample, a missing next sample does not mean that the value
/// is constant.
const HOLD_MS: std::ops::RangeInclusive<i64> = 3_000..=15_000;

/// The history of a value in bounded memory. Samples of the last minutes are close together, older ones are further apart.
///
/// A full history drops the samples that leave the smallest gaps in proportion to their age.
#[derive(Debug, Clone)]
pub struct History {
    capacity: usize,
    /// The first value. Values are stored relative to it, so that they are exact as floats.
    base: i128,
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    at: i64,
    value: f64,
}

impl History {
    /// Creates an empty history that keeps at most `capacity` samples (at least 16).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(16), base: 0, samples: VecDeque::new() }
    }

    /// Adds the value at a time in ms. A time before the last sample's is replaced by that one.
    pub fn push(&mut self, at: i64, value: i128) {
        if self.samples.is_empty() {
            self.base = value;
        }
        let value = to_f64(value - self.base);
        let sample = Sample { at: self.samples.back().map_or(at, |last| at.max(last.at)), value };
        if self.samples.back().is_some_and(|last| last.at == sample.at) || self.is_flat_with(value) {
            self.samples.pop_back();
        } else if self.samples.len() == self.capacity {
            self.thin(sample.at);
        }
        self.samples.push_back(sample);
    }

    /// Returns the time of the oldest sample.
    #[must_use]
    pub fn start(&self) -> Option<i64> {
        self.samples.front().map(|sample| sample.at)
    }

    /// Returns the change per second, over some seconds up to the last sample, or up to `now` after the hold time.
    #[must_use]
    pub fn rate(&self, now: i64) -> Option<f64> {
        let end = self.end(now)?;
        self.slope((end - RATE_WINDOW_MS).max(self.start()?), end)
    }

    /// Returns by how much the value changed in a time span, as far as there are samples.
    #[must_use]
    pub fn change(&self, from: i64, to: i64) -> f64 {
        let from = self.start().map_or(from, |start| from.max(start));
        self.interpolated(to).zip(self.interpolated(from)).map_or(0.0, |(to, from)| to - from)
    }

    /// Returns the highest of three rates: the rate now, the rate at `from`, and the rate between both; 0 if there are
    /// not enough samples or all are negative.
    #[must_use]
    pub fn highest_rate(&self, from: i64, now: i64) -> f64 {
        let (end, start) = (self.end(now), self.start());
        let since = |begin: i64, end: i64| self.slope(begin.max(start?), end);
        let lately = [end.and_then(|end| since(from, end)), since(from - RATE_WINDOW_MS, from), self.rate(now)];
        lately.into_iter().flatten().fold(0.0, f64::max)
    }

    /// Returns the lowest value since a time, as far as there are samples.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a float that came from an i128 fits into one")]
    pub fn lowest_since(&self, at: i64) -> Option<i128> {
        let after = self.samples.partition_point(|sample| sample.at <= at);
        let lowest = self.samples.iter().skip(after.saturating_sub(1)).map(|sample| sample.value).reduce(f64::min)?;
        Some(self.base + lowest.floor() as i128)
    }

    /// Returns the change per second in each of `buckets` equal parts of a time span; `None` where there is no data.
    #[must_use]
    pub fn rates(&self, from: i64, to: i64, buckets: usize, now: i64) -> Vec<Option<f64>> {
        let covered = self.start().zip(self.end(now));
        bounds(from, to, buckets)
            .map(|(left, right)| {
                let (start, end) = covered?;
                // A bucket is averaged over at least the window of `rate`.
                let left = left.min(right - RATE_WINDOW_MS).max(start);
                if right > end { None } else { self.slope(left, right) }
            })
            .collect()
    }

    /// Returns the value at the end of each of `buckets` equal parts of a time span; `None` where there is no data.
    #[must_use]
    pub fn values(&self, from: i64, to: i64, buckets: usize) -> Vec<Option<f64>> {
        bounds(from, to, buckets)
            .map(|(_, right)| {
                let after = self.samples.partition_point(|sample| sample.at <= right);
                Some(to_f64(self.base) + self.samples.get(after.checked_sub(1)?)?.value)
            })
            .collect()
    }

    /// Returns the time up to which the history is complete: the last sample, or `now` after the hold time, because the
    /// value has not changed since then.
    fn end(&self, now: i64) -> Option<i64> {
        let last = self.samples.back()?.at;
        let spacing = self.samples.len().checked_sub(2).map_or(0, |before| last - self.samples[before].at);
        let hold = (2 * spacing).clamp(*HOLD_MS.start(), *HOLD_MS.end());
        Some(if now - last > hold { now } else { last })
    }

    fn slope(&self, from: i64, to: i64) -> Option<f64> {
        (from < to).then_some(())?;
        #[expect(clippy::cast_precision_loss, reason = "a span of time in ms is far below 2^53")]
        let seconds = (to - from) as f64 / 1000.0;
        Some((self.interpolated(to)? - self.interpolated(from)?) / seconds)
    }

    /// Returns the value on the line between the samples around `at`; after the last sample, its value.
    fn interpolated(&self, at: i64) -> Option<f64> {
        let after = self.samples.partition_point(|sample| sample.at <= at);
        let left = self.samples.get(after.checked_sub(1)?)?;
        let Some(right) = self.samples.get(after) else {
            return Some(left.value);
        };
        #[expect(clippy::cast_precision_loss, reason = "a span of time in ms is far below 2^53")]
        let part = (at - left.at) as f64 / (right.at - left.at) as f64;
        Some(left.value + (right.value - left.value) * part)
    }

    /// Returns whether the last two samples have this value. Then the last one is moved instead of adding another.
    fn is_flat_with(&self, value: f64) -> bool {
        let mut newest = self.samples.iter().rev().take(2);
        let is_same = |sample: Option<&Sample>| sample.is_some_and(|sample| sample.value.to_bits() == value.to_bits());
        is_same(newest.next()) && is_same(newest.next())
    }

    /// Drops about an eighth of the samples, so that this is not needed again soon.
    fn thin(&mut self, now: i64) {
        let inner = 1..self.samples.len() - 1;
        let costs: Vec<f64> = inner.map(|index| self.cost(index, now)).collect();
        let mut sorted = costs.clone();
        let (_, limit, _) = sorted.select_nth_unstable_by(costs.len() / 8, f64::total_cmp);
        // Dropping a sample enlarges the gaps of its neighbours, so the next sample is kept.
        let mut was_dropped = false;
        let mut index = 0;
        self.samples.retain(|_| {
            let cost = costs.get(usize::wrapping_sub(index, 1));
            was_dropped = !was_dropped && cost.is_some_and(|cost| cost <= limit);
            index += 1;
            !was_dropped
        });
    }

    /// Returns the gap that a dropped sample would leave, in proportion to its age.
    #[expect(clippy::cast_precision_loss, reason = "a span of time in ms is far below 2^53")]
    fn cost(&self, index: usize, now: i64) -> f64 {
        let gap = self.samples[index + 1].at - self.samples[index - 1].at;
        gap as f64 / (now - self.samples[index].at + 1) as f64
    }
}

/// Returns the left and right ends of equal parts of a time span.
fn bounds(from: i64, to: i64, buckets: usize) -> impl Iterator<Item = (i64, i64)> {
    let count = i64::try_from(buckets).unwrap_or(i64::MAX).max(1);
    let at = move |index: i64| from + (to - from) * index / count;
    (0..count).map(move |index| (at(index), at(index + 1))).take(buckets)
}

#[expect(clippy::cast_precision_loss, reason = "a history is for charts; totals are shown from the exact number")]
fn to_f64(value: i128) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(samples: &[(i64, i128)]) -> History {
        let mut history = History::new(64);
        for (at, value) in samples {
            history.push(*at, *value);
        }
        history
    }

    #[test]
    fn the_rate_is_the_slope_over_the_window() {
        let history = history(&[(0, 0), (5_000, 0), (10_000, 1_000)]);
        assert_eq!(history.rate(10_000), Some(200.0));
        assert_eq!(history.rate(12_000), Some(200.0), "within the hold time");
        assert_eq!(history.rate(60_000), Some(0.0), "after the hold time");
    }

    #[test]
    fn one_sample_has_no_rate() {
        assert_eq!(history(&[(0, 7)]).rate(100), None);
        assert_eq!(history(&[]).rate(100), None);
    }

    #[test]
    fn a_small_step_beyond_two_to_the_fifty_third_is_exact() {
        let base = 1_i128 << 70;
        assert_eq!(history(&[(0, base), (1_000, base + 1)]).rate(1_000), Some(1.0));
    }

    #[test]
    fn rates_cover_the_time_between_the_first_and_the_last_sample() {
        let samples: Vec<_> = (10..=20).map(|second| (second * 1_000, i128::from(second) * 100)).collect();
        let rates = history(&samples).rates(0, 30_000, 6, 21_000);
        assert_eq!(rates, [None, None, Some(100.0), Some(100.0), None, None]);
    }

    #[test]
    fn values_are_steps() {
        let values = history(&[(1_000, -5), (3_000, 8)]).values(0, 4_000, 4);
        assert_eq!(values, [Some(-5.0), Some(-5.0), Some(8.0), Some(8.0)]);
    }

    #[test]
    fn the_lowest_value_includes_the_value_at_the_start() {
        let history = history(&[(1_000, 50), (3_000, -80), (4_000, 95), (5_000, 90)]);
        let lowest = [0, 3_999, 4_000, 9_000].map(|at| history.lowest_since(at));
        assert_eq!(lowest, [Some(-80), Some(-80), Some(90), Some(90)]);
        assert_eq!(History::new(16).lowest_since(0), None);
    }

    #[test]
    fn the_highest_rate_includes_a_burst() {
        let history = history(&[(0, 0), (4_000, 0), (5_000, 1_000)]);
        assert_eq!(history.rate(5_000), Some(200.0));
        assert_eq!(history.highest_rate(4_000, 5_000).to_bits(), 1_000_f64.to_bits());
        assert_eq!(history.highest_rate(50_000, 60_000).to_bits(), 0_f64.to_bits());
    }

    #[test]
    fn a_history_stays_within_its_capacity_and_keeps_fewer_old_samples() {
        let mut history = History::new(64);
        for second in 0..36_000_i64 {
            history.push(second * 1_000, i128::from(second));
        }
        assert!((48..=64).contains(&history.samples.len()), "{}", history.samples.len());
        assert_eq!(history.start(), Some(0));
        let newest: Vec<i64> = history.samples.iter().rev().take(3).map(|sample| sample.at).collect();
        assert_eq!(newest, [35_999_000, 35_998_000, 35_997_000]);
        let hours = history.rates(0, 36_000_000, 10, 36_000_000);
        assert!(hours.iter().flatten().all(|rate| (rate - 1.0).abs() < 0.001), "{hours:?}");
        assert_eq!(hours.iter().flatten().count(), 9, "the last hour ends after the last sample");
    }

    #[test]
    fn a_constant_value_takes_two_samples_and_time_never_goes_back() {
        let mut history = history(&[(0, 1), (1_000, 1), (2_000, 1), (3_000, 1)]);
        assert_eq!(history.samples.len(), 2);
        history.push(500, 9);
        assert_eq!(history.samples.back(), Some(&Sample { at: 3_000, value: 8.0 }));
    }
}
