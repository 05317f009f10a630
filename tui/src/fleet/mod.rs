//! The fleet as an outside observer sees it, folded from the records of `metrics` and `metrics-agg`.

mod audit;
mod clock;
mod findings;
mod fold;
mod history;
mod lines;
mod pipeline;
mod run;
mod runs;
mod series;
mod series_table;
mod timeline;

use std::collections::BTreeMap;

use quipu_record::Series;

use crate::batch::{Connection, Topic, TopicState};
use audit::Finding;
use clock::ClockOffset;
use lines::Lines;
use runs::Runs;
use series_table::SeriesTable;
use timeline::Timeline;

pub use audit::Audit;
pub use history::History;
pub use pipeline::{Group, Pipeline, ReadTopic};
pub use run::{Run, RunId, RunState};
pub use series::{ObservedSeries, SeriesId, Total};
pub use timeline::{Event, EventKind};

/// How much a [`Fleet`] holds at most. What is beyond is counted by [`Fleet::cut_off`].
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Series; 100,000 by default.
    pub series: usize,
    /// Runs and plain counters, departed ones included; 50,000 by default.
    pub runs: usize,
    /// Histories of one run's count of one series; 20,000 by default. Those of the series in focus are kept beyond it.
    pub lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { series: 100_000, runs: 50_000, lines: 20_000 }
    }
}

/// The fleet as an outside observer sees it. Pure: time is passed in, in ms since 1970 by this machine's clock.
#[derive(Debug, Clone)]
pub struct Fleet {
    series: SeriesTable,
    runs: Runs,
    lines: Lines,
    timeline: Timeline,
    pipeline: Pipeline,
    clock: ClockOffset,
    /// By audit.
    findings: BTreeMap<String, Finding>,
    cut_off: u64,
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Fleet {
    /// A fleet of which nothing is known yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            series: SeriesTable::new(limits.series),
            runs: Runs::new(limits.runs),
            lines: Lines::new(limits.lines),
            timeline: Timeline::default(),
            pipeline: Pipeline::new(),
            clock: ClockOffset::default(),
            findings: BTreeMap::new(),
            cut_off: 0,
        }
    }

    /// Notices what follows from time alone (who fell silent) and writes the timeline. Call it about once a second.
    pub fn tick(&mut self, now: i64) {
        // Reports of a run may stand behind those of its successor until the whole topic has been read.
        if self.pipeline.topic(Topic::Metrics).state == TopicState::CaughtUp {
            // While no broker answers, it is not the instances that are silent.
            let until = match self.pipeline.connection() {
                (Connection::Lost { .. }, since) => since,
                _ => now,
            };
            let reconnected = self.pipeline.reconnected().map(|at| self.clock.fleet_time(at));
            self.runs.tick(self.clock.fleet_time(until), reconnected, &mut self.timeline);
        }
        self.tick_audits();
    }

    /// The brokers' time at a time of this machine: what the times of runs, aggregates and events compare to.
    #[must_use]
    pub fn fleet_time(&self, now: i64) -> i64 {
        self.clock.fleet_time(now)
    }

    /// How far this machine's clock is ahead of the brokers', in ms; 0 if the difference does not matter.
    #[must_use]
    pub fn clock_offset(&self) -> i64 {
        self.clock.offset()
    }

    /// All series of which something is known, in the order in which they were first seen.
    pub fn series(&self) -> impl Iterator<Item = &ObservedSeries> {
        self.series.iter().filter(|series| series.is_known())
    }

    /// One series.
    #[must_use]
    pub fn get(&self, id: SeriesId) -> &ObservedSeries {
        self.series.get(id)
    }

    /// Whether anything is known of a series.
    #[must_use]
    pub fn knows(&self, id: SeriesId) -> bool {
        self.series.has(id) && self.get(id).is_known()
    }

    /// Looks a series up.
    #[must_use]
    pub fn find(&self, series: &Series) -> Option<&ObservedSeries> {
        Some(self.get(self.series.find(series)?))
    }

    /// All runs, in no order.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter()
    }

    /// How a run's count of a series went; none if it does not count it, or if there are too many (see [`Limits`]).
    #[must_use]
    pub fn line(&self, series: SeriesId, run: RunId) -> Option<&History> {
        self.lines.get(series, run)
    }

    /// The audits by their names.
    pub fn audits(&self) -> impl Iterator<Item = Audit<'_>> {
        self.series.audits(|name| self.findings.get(name).copied().unwrap_or_default())
    }

    /// The newest events, oldest first.
    #[must_use]
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.timeline.iter()
    }

    /// The way from the instances to the sinks.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// How often a record or a counter was left out because of the [`Limits`].
    #[must_use]
    pub fn cut_off(&self) -> u64 {
        self.cut_off
    }

    /// Names the series whose lines are wanted even if there are too many to keep all.
    pub fn focus(&mut self, series: Option<SeriesId>) {
        let has_moved = self.lines.focus(series);
        let Some(series) = series.filter(|_| has_moved) else {
            return;
        };
        for run in self.runs.iter() {
            if self.lines.get(series, run.id()).is_none()
                && let Some(count) = run.count(series)
            {
                self.lines.push(series, run.id(), run.last_report(), count);
            }
        }
    }
}
