//! The log of the experiment: its milestones and its samples, for the chart and the summary.

use std::time::{Duration, Instant};

use super::series::Series;
use super::snapshot::{Milestone, Snapshot};

/// The milestones and samples of an experiment.
#[derive(Debug)]
pub(crate) struct Log {
    start: Instant,
    pub(crate) series: Series,
    pub(crate) milestones: Vec<Milestone>,
    /// The last snapshot.
    pub(crate) seen: Snapshot,
    /// The time of the last snapshot, from the start.
    seen_at: Duration,
    /// When anything last changed.
    changed: Instant,
}

impl Log {
    /// Creates an empty log that starts now.
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            series: Series::default(),
            milestones: Vec::new(),
            seen: Snapshot::default(),
            seen_at: Duration::ZERO,
            changed: now,
        }
    }

    /// Returns the time since the start.
    pub(crate) fn time(&self) -> Duration {
        self.start.elapsed()
    }

    /// Adds a snapshot.
    pub(crate) fn add(&mut self, seen: Snapshot) {
        if seen != self.seen {
            self.changed = Instant::now();
            self.seen = seen;
        }
        self.seen_at = self.time();
        self.series.push(self.seen_at, seen);
    }

    /// Returns the time from the start to the last snapshot.
    pub(crate) fn lasted(&self) -> Duration {
        self.seen_at
    }

    /// Adds a milestone.
    pub(crate) fn note(&mut self, mark: Option<&'static str>, text: String) -> &Milestone {
        self.changed = Instant::now();
        self.milestones.push(Milestone { at: self.time(), mark, text });
        &self.milestones[self.milestones.len() - 1]
    }

    /// Returns for how long neither the snapshot has changed nor a milestone was added.
    pub(crate) fn unchanged_for(&self) -> Duration {
        self.changed.elapsed()
    }
}
