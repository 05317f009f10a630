//! The fleet as an outside observer sees it, folded from the records of `metrics` and `metrics-agg`.

mod audit;
mod clock;
mod history;
mod lines;
mod pipeline;
mod run;
mod runs;
mod series;
mod timeline;

use std::collections::BTreeMap;

use quipu_record::{Aggregate, AggregateError, BadRecord, Key, Record, Series, decode};

use crate::batch::{Batch, Connection, RawRecord, Topic, TopicState};
use clock::ClockOffset;
use lines::Lines;
use run::Changes;
use runs::Runs;
use series::SeriesTable;
use timeline::Timeline;

pub use audit::Audit;
pub use history::History;
pub use pipeline::{Group, Pipeline, ReadTopic};
pub use run::{Run, RunId, RunState};
pub use series::{ObservedSeries, SeriesId, Total};
pub use timeline::{Event, EventKind};

/// This machine's clock may be wrong, but what is further ahead of it than a day is no time.
const MAX_AHEAD_MS: i64 = 86_400_000;

/// How much later than others a report may come here.
const LATENCY_MS: i64 = 250;

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

/// What was last found out about an audit.
#[derive(Debug, Clone, Copy, Default)]
struct Finding {
    jitter: i128,
    /// Whether duplicates were found since the delta was last below zero.
    has_duplicates: bool,
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

    /// Takes in what the source delivered.
    pub fn apply(&mut self, batch: &Batch, now: i64) {
        match batch {
            Batch::Records { topic, records } => {
                for record in records {
                    self.pipeline.read(*topic, record.offset);
                    let result = match topic {
                        Topic::Metrics => self.metric(record, now).map_err(|bad| bad.reason()),
                        Topic::Aggregates => self.aggregate(record),
                    };
                    if let Err(reason) = result {
                        self.pipeline.count_bad(*topic, reason);
                    }
                }
            }
            Batch::Topic { topic, state } => {
                if *state == TopicState::Recreated {
                    self.forget(*topic);
                }
                self.pipeline.set_state(*topic, state);
            }
            Batch::Connection(connection) => self.pipeline.connect(connection, now),
            Batch::Lag(report) => self.pipeline.lags(report, now),
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
        self.series.audits(|name| self.findings.get(name).map_or(0, |finding| finding.jitter))
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

    fn metric(&mut self, record: &RawRecord, now: i64) -> Result<(), BadRecord> {
        let fleet_now = self.clock.fleet_time(now);
        let is_time = (1..fleet_now.saturating_add(MAX_AHEAD_MS)).contains(&record.timestamp);
        let at = if is_time { record.timestamp } else { fleet_now };
        if self.pipeline.topic(Topic::Metrics).state == TopicState::CaughtUp && is_time {
            self.clock.observe(now, record.timestamp);
        }
        match decode(record.key.as_deref(), record.value.as_deref())? {
            Record::Report { key, report } => {
                let row = format!("{}/{}", key.instance, key.run);
                let Some(run) = self.runs.admit(&row, key.instance, Some(key.run), at) else {
                    self.cut_off += 1;
                    return Ok(());
                };
                let changes = run.report(key.part, &report, at, &mut self.series);
                self.note(&row, changes, at)
            }
            Record::Plain { key, counter } => {
                let Some(run) = self.runs.admit(key, key, None, at) else {
                    self.cut_off += 1;
                    return Ok(());
                };
                let changes = run.plain(&counter, at, &mut self.series);
                self.note(key, changes, at)
            }
            Record::Tombstone { key: Key::Run(key) } => {
                self.remove(&format!("{}/{}", key.instance, key.run), key.part);
                Ok(())
            }
            Record::Tombstone { key: Key::Plain(key) } => {
                self.remove(key, 0);
                Ok(())
            }
        }
    }

    /// Carries what a record changed in a run to the series and the lines.
    fn note(&mut self, row: &str, changes: Result<Changes, BadRecord>, at: i64) -> Result<(), BadRecord> {
        let Some(run) = self.runs.get(row) else {
            return Ok(());
        };
        let (id, started, is_empty) = (run.id(), run.started(), run.is_empty());
        // A run that was seen from its beginning rises from zero.
        let is_young = at - started <= 3 * run.interval();
        let changes = match changes {
            Ok(changes) => changes,
            Err(bad) => {
                if is_empty {
                    self.runs.remove(row);
                }
                return Err(bad);
            }
        };
        self.cut_off += changes.cut_off;
        for change in changes.counts {
            if change.is_new {
                self.series.get_mut(change.series).reporters += 1;
                if is_young {
                    self.lines.push(change.series, id, started, 0);
                }
            }
            self.lines.push(change.series, id, at, change.after);
        }
        Ok(())
    }

    fn remove(&mut self, row: &str, part: u32) {
        let Some(run) = self.runs.get_mut(row) else {
            return;
        };
        for series in run.remove(part) {
            let reporters = &mut self.series.get_mut(series).reporters;
            *reporters = reporters.saturating_sub(1);
        }
        if run.is_empty() {
            self.lines.forget(run.id());
            self.runs.remove(row);
        }
    }

    fn aggregate(&mut self, record: &RawRecord) -> Result<(), &'static str> {
        let Some(value) = &record.value else {
            let text = std::str::from_utf8(record.key.as_deref().unwrap_or_default()).map_err(|_| "key_not_utf8")?;
            let series = text.parse::<Series>().map_err(|_| "key_not_a_series")?;
            if let Some(id) = self.series.find(&series) {
                self.series.get_mut(id).total = None;
            }
            return Ok(());
        };
        let aggregate = Aggregate::decode(value).map_err(|error| match error {
            AggregateError::UnknownVersion(_) => "unknown_version",
            AggregateError::Series(bad) => bad.reason(),
            _ => "unexpected_shape",
        })?;
        self.pipeline.aggregate(&aggregate);
        if !self.series.observe(&aggregate) {
            self.cut_off += 1;
        }
        Ok(())
    }

    /// Finds out how exact the audits are, and writes into the timeline when one finds duplicates.
    fn tick_audits(&mut self) {
        let interval = self.longest_interval() + LATENCY_MS;
        // As long as nothing new comes, things stand as they did when the newest aggregate was published.
        let newest = self.pipeline.newest_aggregate().unwrap_or(0);
        let mut findings = BTreeMap::new();
        let mut found = Vec::new();
        for mut audit in self.audits() {
            let rate = audit.sent.and_then(|sent| sent.history().rate(newest)).unwrap_or(0.0);
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "this is an estimate")]
            let jitter = (rate.max(0.0) * interval as f64 / 1000.0).ceil() as i128;
            audit.jitter = jitter;
            let before = self.findings.get(audit.name).is_some_and(|finding| finding.has_duplicates);
            let has_duplicates = audit.duplicates() > 0 || (before && audit.delta_count() > Some(0));
            findings.insert(audit.name.to_owned(), Finding { jitter, has_duplicates });
            if let Some(delta) = audit.delta.and_then(ObservedSeries::total).filter(|_| has_duplicates && !before) {
                found.push((delta.timestamp, audit.name.to_owned()));
            }
        }
        self.findings = findings;
        for (at, name) in found {
            self.timeline.push(at, EventKind::Duplicates, &name);
        }
    }

    /// The longest interval in which a live run reports that counts something of the user's.
    fn longest_interval(&self) -> i64 {
        let live = self.runs.iter().filter(|run| run.state() == RunState::Live);
        let users = live.filter(|run| run.counts().any(|(series, _)| !self.get(series).is_own()));
        users.map(Run::interval).max().unwrap_or(0)
    }

    /// Forgets what was read from a topic that was replaced.
    fn forget(&mut self, topic: Topic) {
        match topic {
            Topic::Metrics => {
                self.runs.clear();
                self.lines.clear();
                self.series.clear_reporters();
            }
            Topic::Aggregates => self.series.clear_totals(),
        }
    }
}
