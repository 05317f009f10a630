//! How long a sink waits after a failed write. Pure: the failure and a random number are arguments.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// The longest `Retry-After` that is followed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Why a batch was not accepted. The same batch is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What happened, with the target's text if there is one.
    pub(crate) why: String,
    /// The wait that the target asks for (`Retry-After`).
    pub(crate) retry_after: Option<Duration>,
    /// Whether an operator has to correct the target or the configuration.
    pub(crate) is_refusal: bool,
}

impl Failure {
    /// A failure that may end by itself.
    pub(crate) fn temporary(why: impl Into<String>) -> Self {
        Self { why: why.into(), retry_after: None, is_refusal: false }
    }
}

/// The waits between attempts. They double, up to 30 s, and have jitter, so that many clients do not return to a restarted
/// server at once.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// How long to wait after `failure`; `random` is between 0 and 1.
    pub(crate) fn after(&mut self, failure: &Failure, random: f64) -> Duration {
        let longest = FIRST.saturating_mul(2_u32.saturating_pow(self.attempts)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let jittered = longest.mul_f64(0.5 + random / 2.0);
        // The wait that the target asks for is a minimum; jitter is added.
        failure.retry_after.map_or(jittered, |asked| asked.min(LONGEST_RETRY_AFTER) + longest.mul_f64(random / 2.0))
    }

    /// Begins anew with the shortest wait.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_and_end_at_half_a_minute() {
        let mut backoff = Backoff::default();
        let failure = Failure::temporary("reset");
        let waits: Vec<_> = (0..9).map(|_| backoff.after(&failure, 1.0).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.after(&failure, 0.0), LONGEST / 2);
        backoff.reset();
        assert_eq!(backoff.after(&failure, 0.0), FIRST / 2);
    }

    #[test]
    fn the_wait_is_not_shorter_than_retry_after() {
        let failure = Failure { retry_after: Some(Duration::from_secs(120)), ..Failure::temporary("429") };
        assert_eq!(Backoff::default().after(&failure, 0.0), Duration::from_secs(120));
        assert!(Backoff::default().after(&failure, 1.0) > Duration::from_secs(120));
        let forever = Failure { retry_after: Some(Duration::from_secs(99_999_999)), ..failure };
        assert_eq!(Backoff::default().after(&forever, 0.0), LONGEST_RETRY_AFTER);
    }
}
