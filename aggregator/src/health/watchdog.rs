//! Notices that the task makes no step although there is something to do.

use std::time::Duration;

use super::progress::{Progress, Standing};
use crate::shared::Shared;

/// How often the task's step is looked at.
const TICK: Duration = Duration::from_millis(500);
/// How long a stopping process may make no step.
const STOP_BOUND: Duration = Duration::from_secs(20);

/// A task that makes no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stall {
    /// The step that does not end.
    pub(crate) step: &'static str,
    /// For how long.
    pub(crate) duration: Duration,
}

/// Waits until the task has made no step for `limit`. Without a limit it only notices a stopping process that makes no
/// step.
pub(crate) async fn stalled(shared: &Shared, limit: Option<Duration>) -> Stall {
    let mut watched = Watched::new(&shared.progress);
    loop {
        // Not the clock: a process that was suspended makes no step either, and goes on after it.
        tokio::time::sleep(TICK).await;
        if let Some(stall) = watched.tick(&shared.progress, shared.stopping(), limit) {
            return stall;
        }
    }
}

struct Watched {
    seen: Standing,
    ticks: u32,
}

impl Watched {
    fn new(progress: &Progress) -> Self {
        Self { seen: progress.standing(), ticks: 0 }
    }

    fn tick(&mut self, progress: &Progress, stopping: bool, limit: Option<Duration>) -> Option<Stall> {
        let now = progress.standing();
        if now != self.seen {
            *self = Self { seen: now, ticks: 0 };
        }
        self.ticks += 1;
        let limit = if stopping { Some(limit.unwrap_or(STOP_BOUND).min(STOP_BOUND)) } else { limit };
        let duration = TICK * self.ticks;
        limit.filter(|limit| duration > *limit).map(|_| Stall { step: now.step, duration })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks until the task is found to be stalled, at most so many times.
    fn ticks_until_stalled(stopping: bool, limit: Option<Duration>) -> Option<u32> {
        let progress = Progress::default();
        progress.step("committing");
        let mut watched = Watched::new(&progress);
        (1..=1000).find(|_| watched.tick(&progress, stopping, limit).is_some_and(|stall| stall.step == "committing"))
    }

    #[test]
    fn a_task_that_makes_no_step_for_the_limit_is_stalled() {
        assert_eq!(ticks_until_stalled(false, Some(Duration::from_secs(60))), Some(121));
        assert_eq!(ticks_until_stalled(true, Some(Duration::from_secs(60))), Some(41));
        assert_eq!(ticks_until_stalled(true, Some(Duration::from_secs(5))), Some(11));
        assert_eq!(ticks_until_stalled(true, None), Some(41));
        assert_eq!(ticks_until_stalled(false, None), None);
    }

    #[test]
    fn every_step_counts_also_the_same_one_again() {
        let progress = Progress::default();
        let mut watched = Watched::new(&progress);
        for _ in 0..100 {
            progress.step("reading");
            assert_eq!(watched.tick(&progress, false, Some(TICK)), None);
        }
        assert!(watched.tick(&progress, false, Some(TICK)).is_some());
    }
}
