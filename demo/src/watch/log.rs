//! What happened and what was seen, for the chart and the summary.

use std::time::{Duration, Instant};

use super::series::Series;
use super::snapshot::{Event, Snapshot};

/// The record of an experiment.
#[derive(Debug)]
pub(crate) struct Log {
    start: Instant,
    pub(crate) series: Series,
    pub(crate) events: Vec<Event>,
    /// What was seen last.
    pub(crate) seen: Snapshot,
    /// When that was, from the start.
    seen_at: Duration,
    /// When anything last changed.
    changed: Instant,
}

impl Log {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            series: Series::default(),
            events: Vec::new(),
            seen: Snapshot::default(),
            seen_at: Duration::ZERO,
            changed: now,
        }
    }

    /// Time since the start.
    pub(crate) fn time(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn see(&mut self, seen: Snapshot) {
        if seen != self.seen {
            self.changed = Instant::now();
            self.seen = seen;
        }
        self.seen_at = self.time();
        self.series.push(self.seen_at, seen);
    }

    /// Time from the start to the last look.
    pub(crate) fn lasted(&self) -> Duration {
        self.seen_at
    }

    pub(crate) fn note(&mut self, mark: Option<&'static str>, meaning: String) -> &Event {
        self.changed = Instant::now();
        self.events.push(Event { at: self.time(), mark, meaning });
        &self.events[self.events.len() - 1]
    }

    /// For how long nothing has changed.
    pub(crate) fn quiet_for(&self) -> Duration {
        self.changed.elapsed()
    }
}
