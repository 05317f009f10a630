//! What to do after a write that a target did not accept. Pure: the answer and a random number go in, the decision comes
//! out.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// A target that asks for more patience than this is asked again all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Why a batch was not accepted; it is sent again as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What happened, in the target's words if it had any.
    pub(crate) why: String,
    /// How long the target asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Whether somebody has to mend the target or the configuration.
    pub(crate) is_refusal: bool,
}

impl Failure {
    /// One that time may heal.
    pub(crate) fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), retry_after: None, is_refusal: false }
    }
}

/// The waits between attempts: they double, up to half a minute, with jitter, so that many clients of a server that comes
/// back do not come at once.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// How long to wait after this failure; `random` is between 0 and 1.
    pub(crate) fn after(&mut self, failure: &Failure, random: f64) -> Duration {
        let longest = FIRST.saturating_mul(2_u32.saturating_pow(self.attempts)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let jittered = longest.mul_f64(0.5 + random / 2.0);
        // What the target asked for is a minimum; the jitter comes on top.
        failure.retry_after.map_or(jittered, |asked| asked.min(LONGEST_RETRY_AFTER) + longest.mul_f64(random / 2.0))
    }

    /// The target accepts again.
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
        let failure = Failure::passing("reset");
        let waits: Vec<_> = (0..9).map(|_| backoff.after(&failure, 1.0).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.after(&failure, 0.0), LONGEST / 2);
        backoff.reset();
        assert_eq!(backoff.after(&failure, 0.0), FIRST / 2);
    }

    #[test]
    fn what_the_target_asks_for_is_the_least() {
        let failure = Failure { retry_after: Some(Duration::from_secs(120)), ..Failure::passing("429") };
        assert_eq!(Backoff::default().after(&failure, 0.0), Duration::from_secs(120));
        assert!(Backoff::default().after(&failure, 1.0) > Duration::from_secs(120));
        let forever = Failure { retry_after: Some(Duration::from_secs(99_999_999)), ..failure };
        assert_eq!(Backoff::default().after(&forever, 0.0), LONGEST_RETRY_AFTER);
    }
}
