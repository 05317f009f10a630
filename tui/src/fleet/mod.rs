//! The state of the fleet, computed from the records of `metrics` and `metrics-agg`.

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
pub use series::{ObservedSeries, ObservedTotal, SeriesId};
pub use timeline::{Event, EventKind};

/// The limits of a [`Fleet`]. [`Fleet::cut_off`] counts what was left out because of the limits in number.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The number of series; 100,000 by default.
    pub series: usize,
    /// The number of runs and plain keys, including runs that left; 50,000 by default.
    pub runs: usize,
    /// The number of histories of one run's count of one series; 20,000 by default. Histories of the series in focus are
    /// kept beyond the limit.
    pub lines: usize,
    /// After this time without a report a run is silent, in ms; 30 s by default. It is the aggregator's `instance_timeout`.
    pub instance_timeout: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { series: 100_000, runs: 50_000, lines: 20_000, instance_timeout: 30_000 }
    }
}

/// The state of the fleet. It is pure: the time is an argument, in ms since 1970 by this machine's clock.
#[derive(Debug, Clone)]
pub struct Fleet {
    series: SeriesTable,
    runs: Runs,
    lines: Lines,
    timeline: Timeline,
    pipeline: Pipeline,
    clock: ClockOffset,
    /// The result of the last check of each audit.
    findings: BTreeMap<String, Finding>,
    cut_off: u64,
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Fleet {
    /// Creates an empty fleet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            series: SeriesTable::new(limits.series),
            runs: Runs::new(limits.runs, limits.instance_timeout),
            lines: Lines::new(limits.lines),
            timeline: Timeline::default(),
            pipeline: Pipeline::new(),
            clock: ClockOffset::default(),
            findings: BTreeMap::new(),
            cut_off: 0,
        }
    }

    /// Updates the states that depend on time, such as silent runs, and the timeline. Call it about once a second.
    pub fn tick(&mut self, now: i64) {
        // Until the whole topic has been read, the reports of a run may come after those of the instance's next run.
        if self.pipeline.topic(Topic::Metrics).state == TopicState::CaughtUp {
            // While no broker answers, missing reports do not make a run silent.
            let until = match self.pipeline.connection() {
                (Connection::Lost { .. }, since) => since,
                _ => now,
            };
            let reconnected = self.pipeline.reconnected().map(|at| self.clock.fleet_time(at));
            self.runs.tick(self.clock.fleet_time(until), reconnected, &mut self.timeline);
        }
        self.tick_audits();
    }

    /// Converts a time of this machine to the brokers' time, in which the times of runs, aggregates and events are given.
    #[must_use]
    pub fn fleet_time(&self, now: i64) -> i64 {
        self.clock.fleet_time(now)
    }

    /// Returns how far this machine's clock is ahead of the brokers' clock, in ms; 0 if the difference is small.
    #[must_use]
    pub fn clock_offset(&self) -> i64 {
        self.clock.offset()
    }

    /// Returns all series that have a total or a reporting run, in the order in which they were first read.
    pub fn series(&self) -> impl Iterator<Item = &ObservedSeries> {
        self.series.iter().filter(|series| series.is_known())
    }

    /// Returns a series by its id.
    #[must_use]
    pub fn get(&self, id: SeriesId) -> &ObservedSeries {
        self.series.get(id)
    }

    /// Returns whether a series has a total or a reporting run.
    #[must_use]
    pub fn knows(&self, id: SeriesId) -> bool {
        self.series.has(id) && self.get(id).is_known()
    }

    /// Returns a series by its name and labels.
    #[must_use]
    pub fn find(&self, series: &Series) -> Option<&ObservedSeries> {
        Some(self.get(self.series.find(series)?))
    }

    /// Returns what the counts of all runs that were read leave of a total: what has expired, and what was reported before
    /// the records that were read. It is negative if the aggregator leaves out a part of what the runs report. `None` while
    /// the total and the counts are not of the same position.
    #[must_use]
    pub fn others(&self, id: SeriesId) -> Option<i128> {
        let series = self.get(id);
        let total = series.total()?;
        let has_read_all = self.pipeline.topic(Topic::Metrics).position > Some(total.offset);
        if !has_read_all || series.counted_at > Some(total.offset) {
            return None;
        }
        let counts = self.runs().filter_map(|run| i128::try_from(run.count(id)?).ok());
        Some(total.count() - counts.sum::<i128>())
    }

    /// Returns all runs, in no particular order.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter()
    }

    /// Returns the history of a run's count of a series; `None` if the run does not count it, or beyond the [`Limits`].
    #[must_use]
    pub fn line(&self, series: SeriesId, run: RunId) -> Option<&History> {
        self.lines.get(series, run)
    }

    /// Returns the audits, sorted by name.
    pub fn audits(&self) -> impl Iterator<Item = Audit<'_>> {
        self.series.audits(|name| self.findings.get(name).copied().unwrap_or_default())
    }

    /// Returns the newest events, oldest first.
    #[must_use]
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.timeline.iter()
    }

    /// Returns the state of the topics and consumer groups.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Returns how many records and counters were left out because of the [`Limits`].
    #[must_use]
    pub fn cut_off(&self) -> u64 {
        self.cut_off
    }

    /// Sets the series in focus, whose lines are kept even beyond the limit.
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
