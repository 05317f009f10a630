//! Limits how many records may be sent now: by the rate, and by how far the consumers are behind.

use std::time::Duration;

/// After a pause, the producer makes up for no more than this time, because the rate is a limit and not an average.
const CATCH_UP: Duration = Duration::from_millis(250);

/// Limits a rate.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    allowance: f64,
}

impl Pace {
    #[expect(clippy::cast_precision_loss, reason = "a rate beyond 2^53 records a second is no limit anyway")]
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second: per_second as f64, allowance: 0.0 }
    }

    /// Returns how many records may be sent now. `elapsed` is the time since the last call.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive; `as` saturates")]
    pub(super) fn allow(&mut self, elapsed: Duration) -> u64 {
        let catch_up = (self.per_second * CATCH_UP.as_secs_f64()).max(1.0);
        self.allowance = (self.allowance + self.per_second * elapsed.as_secs_f64()).min(catch_up);
        self.allowance as u64
    }

    /// Subtracts sent records from the allowance.
    #[expect(clippy::cast_precision_loss, reason = "it is no more than was allowed")]
    pub(super) fn sent(&mut self, records: u64) {
        self.allowance -= records as f64;
    }
}

/// Returns the first id that may not be sent now, so that no partition holds more than `window` records that the
/// consumers have not committed. Record `id` goes to partition `id % partitions`.
pub(super) fn room(committed: &[u64], window: u64) -> u64 {
    let partitions = committed.len() as u64;
    let full_at = |(partition, committed): (u64, &u64)| {
        committed.saturating_add(window).saturating_mul(partitions).saturating_add(partition)
    };
    (0..).zip(committed).map(full_at).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rate_is_kept_and_a_long_pause_is_not_caught_up_on() {
        let mut pace = Pace::new(1000);
        let sent: u64 = (0..100)
            .map(|_| {
                let allowed = pace.allow(Duration::from_millis(7));
                pace.sent(allowed);
                allowed
            })
            .sum();
        assert!((699..=700).contains(&sent), "{sent}");
        assert_eq!(pace.allow(Duration::from_secs(60)), 250);
    }

    #[test]
    fn a_slow_rate_still_sends() {
        let mut pace = Pace::new(1);
        assert_eq!(pace.allow(Duration::from_millis(999)), 0);
        assert_eq!(pace.allow(Duration::from_millis(2)), 1);
    }

    proptest! {
        #[test]
        fn sending_up_to_the_room_fills_no_partition_beyond_the_window(
            committed in prop::collection::vec(0..50_u64, 1..5),
            window in 0..20_u64,
        ) {
            let partitions = committed.len();
            let end = room(&committed, window);
            let held = |end: u64| {
                let mut held = vec![0_u64; partitions];
                for id in 0..end {
                    held[usize::try_from(id).unwrap() % partitions] += 1;
                }
                held
            };
            let fits = |held: &[u64]| held.iter().zip(&committed).all(|(end, start)| *end <= start + window);
            prop_assert!(fits(&held(end)));
            prop_assert!(!fits(&held(end + 1)), "one more record fits");
        }
    }
}
