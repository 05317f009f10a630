//! How old the totals are, measured against the log's end as the broker names it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most answers that wait to be reached; beyond it every other one is dropped, which makes the age coarser.
const ANSWERS: usize = 128;
/// An answer is no longer true after this time.
const VALID: Duration = Duration::from_secs(10);
/// Totals may always be this old.
const LEAST_LIMIT: Duration = Duration::from_secs(10);

/// Compares the task's position with the log's end. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Freshness(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// How old totals may be.
    limit: Duration,
    /// Everything before this offset was read; none for a process that has not got the partition.
    read: Option<i64>,
    /// Everything before this offset was committed.
    committed: i64,
    /// The last answer: when the broker was asked, and the log's end.
    newest: Option<(Instant, i64)>,
    /// Answers that were not reached yet, the oldest first.
    ahead: VecDeque<(Instant, i64)>,
}

impl Freshness {
    /// Totals that are older than some `commit_interval`s are stale.
    pub(crate) fn new(commit_interval: Duration) -> Self {
        let limit = (commit_interval * 5).max(LEAST_LIMIT);
        Self(Arc::new(Mutex::new(State { limit, read: None, committed: 0, newest: None, ahead: VecDeque::new() })))
    }

    /// The broker was asked at this moment, and the log's end was `end`.
    pub(crate) fn answered(&self, asked: Instant, end: i64) {
        let mut state = self.lock();
        // A log that is shorter than before is another one: what was to be reached there never will be.
        if state.newest.is_some_and(|(_, before)| end < before) {
            state.ahead.clear();
        }
        state.newest = Some((asked, end));
        if state.read.is_some() && end > state.committed {
            state.ahead.push_back((asked, end));
        }
        if state.ahead.len() > ANSWERS {
            let mut is_kept = false;
            state.ahead.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
        }
    }

    /// Everything before `read` was read, and everything before `committed` was committed.
    pub(crate) fn at(&self, read: i64, committed: i64) {
        let mut state = self.lock();
        state.read = Some(read);
        state.committed = committed;
        while state.ahead.front().is_some_and(|(_, end)| *end <= committed) {
            state.ahead.pop_front();
        }
    }

    /// This process has not got the partition.
    pub(crate) fn standby(&self) {
        let mut state = self.lock();
        state.read = None;
        state.ahead.clear();
    }

    /// How many records wait to be read; none if the broker was not asked lately, or another process has the partition.
    pub(crate) fn lag(&self, now: Instant) -> Option<i64> {
        let state = self.lock();
        let (_, end) = state.newest.filter(|(asked, _)| now.duration_since(*asked) < VALID)?;
        Some((end - state.read?).max(0))
    }

    /// How long the oldest record that is not in the totals has been waiting; zero if no record is waiting as far as the broker has answered.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.lock().ahead.front().map_or(Duration::ZERO, |(asked, _)| now.duration_since(*asked))
    }

    /// How old totals may be before they are stale.
    pub(crate) fn limit(&self) -> Duration {
        self.lock().limit
    }

    /// Whether records have been waiting for longer than the limit, and for how long.
    pub(crate) fn stale(&self, now: Instant) -> Option<Duration> {
        Some(self.age(now)).filter(|age| *age > self.limit())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_age_is_that_of_the_oldest_answer_that_was_not_reached() {
        let (freshness, began) = (Freshness::new(SECOND), Instant::now());
        let after = |seconds: u32| began + SECOND * seconds;
        freshness.at(0, 0);
        for seconds in 0..5 {
            freshness.answered(after(seconds), i64::from(seconds) * 10);
        }
        // The log was empty at first: the first record was seen after a second.
        assert_eq!(freshness.age(after(5)), SECOND * 4);
        freshness.at(40, 25);
        assert_eq!(freshness.age(after(5)), SECOND * 2);
        assert_eq!(freshness.lag(after(5)), Some(0));
        assert_eq!((freshness.stale(after(13)), freshness.stale(after(14))), (None, Some(SECOND * 11)));
        freshness.at(40, 40);
        assert_eq!(freshness.age(after(60)), Duration::ZERO);
    }

    #[test]
    fn an_answer_is_not_true_for_ever() {
        let (freshness, began) = (Freshness::new(SECOND), Instant::now());
        assert_eq!(freshness.lag(began), None);
        freshness.at(3, 3);
        freshness.answered(began, 10);
        assert_eq!(freshness.lag(began + VALID / 2), Some(7));
        assert_eq!(freshness.lag(began + VALID), None);
    }

    #[test]
    fn a_standby_has_no_lag_and_is_not_stale() {
        let (freshness, began) = (Freshness::new(SECOND), Instant::now());
        freshness.at(3, 3);
        freshness.answered(began, 10);
        freshness.standby();
        assert_eq!((freshness.lag(began), freshness.age(began + SECOND)), (None, Duration::ZERO));
    }

    #[test]
    fn a_log_that_became_shorter_is_another_one() {
        let (freshness, began) = (Freshness::new(SECOND), Instant::now());
        freshness.at(3, 3);
        freshness.answered(began, 1000);
        freshness.answered(began + SECOND, 2);
        assert_eq!(freshness.age(began + SECOND * 9), Duration::ZERO);
    }

    #[test]
    fn a_long_commit_interval_allows_older_totals() {
        assert_eq!(Freshness::new(Duration::from_millis(20)).limit(), LEAST_LIMIT);
        assert_eq!(Freshness::new(SECOND * 60).limit(), SECOND * 300);
    }

    #[test]
    fn so_many_answers_are_kept_and_the_oldest_is_one_of_them() {
        let (freshness, began) = (Freshness::new(SECOND), Instant::now());
        freshness.at(0, 0);
        for seconds in 0..10_000 {
            freshness.answered(began + SECOND * seconds, i64::from(seconds) + 1);
        }
        assert!(freshness.lock().ahead.len() <= ANSWERS);
        assert_eq!(freshness.age(began + SECOND * 10_000), SECOND * 10_000);
    }
}
