//! The task's side of the table: when it is built, when it may speak, and what becomes of bad records.

use std::thread;
use std::time::{Duration, SystemTime};

use quipu_record::BadRecord;
use tracing::{info, warn};

use crate::config::Config;
use crate::dead_letter::dead_letter;
use crate::instruments::Instruments;
use crate::publisher::Output;
use crate::rate_limit::RateLimit;
use crate::shared::Shared;
use crate::source::{Assigned, Source};
use crate::topology::{Settings, SourceRecord, Topology};

const RETRY: Duration = Duration::from_secs(1);

/// The topology and whether it may say what it knows.
pub(crate) struct TableTask {
    settings: Settings,
    source_topic: String,
    shared: Shared,
    pub(crate) instruments: Instruments,
    pub(crate) topology: Topology,
    state: State,
    dead_letters: Vec<Output>,
    bad_lines: RateLimit,
    progress_lines: RateLimit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Another process has the partition.
    Waiting,
    /// The table is being built; nothing is said yet.
    CatchingUp { end: i64 },
    /// Every commit says what changed.
    Running,
}

impl TableTask {
    pub(crate) fn new(config: &Config, shared: Shared, instruments: Instruments) -> Self {
        let settings = Settings {
            instance_timeout_ms: millis(config.instance_timeout),
            refresh_interval_ms: millis(config.refresh_interval),
            max_rows: config.limits.max_rows,
            max_series: config.limits.max_series,
            audits: config.audits.clone(),
        };
        Self {
            topology: Topology::new(settings.clone()),
            settings,
            source_topic: config.topics.metrics.clone(),
            shared,
            instruments,
            state: State::Waiting,
            dead_letters: Vec::new(),
            bad_lines: RateLimit::new(5, 10_000),
            progress_lines: RateLimit::new(1, 5_000),
        }
    }

    /// Begins with an empty table; gives the group's offset.
    pub(crate) fn assigned(&mut self, source: &Source) -> i64 {
        self.revoked();
        let Assigned { end, committed } = loop {
            match source.assigned() {
                Ok(assigned) => break assigned,
                Err(_) if self.shared.stopping() => return 0,
                Err(error) => {
                    warn!(%error, "can't ask for the log's end, and tries again");
                    thread::park_timeout(RETRY);
                }
            }
        };
        info!(end, committed, "the partition is ours; building the table from the log");
        self.state = State::CatchingUp { end };
        if end == 0 {
            self.caught_up();
        }
        committed
    }

    /// Forgets everything: another process goes on.
    pub(crate) fn revoked(&mut self) {
        if self.state != State::Waiting {
            info!("the partition is no longer ours");
        }
        self.state = State::Waiting;
        self.topology = Topology::new(self.settings.clone());
        self.dead_letters.clear();
        self.set_ready(false);
    }

    /// Applies a record. What is before `committed` was counted and copied by a process before this one.
    pub(crate) fn apply(&mut self, record: &SourceRecord<'_>, committed: i64) {
        if self.state == State::Waiting {
            return;
        }
        let now = now();
        let result = self.topology.process(record, now);
        if record.offset >= committed {
            self.instruments.record(&result);
            if let Err(bad) = &result {
                self.log_bad(record, bad, now);
                self.dead_letters.push(dead_letter(&self.source_topic, record, bad));
            }
        }
        if let State::CatchingUp { end } = self.state {
            let position = self.topology.position();
            if position >= end {
                self.caught_up();
            } else if self.progress_lines.ask(now).is_some() {
                info!(position, end, rows = self.topology.rows(), "building the table");
            }
        }
    }

    /// The log was read to its end.
    pub(crate) fn caught_up(&mut self) {
        if matches!(self.state, State::CatchingUp { .. }) {
            self.state = State::Running;
            self.set_ready(true);
            let (position, rows, series) = (self.topology.position(), self.topology.rows(), self.topology.series());
            info!(position, rows, series, "caught up");
        }
    }

    /// Whether so many dead letters wait that a commit should not be waited for.
    pub(crate) fn is_full(&self) -> bool {
        const DEAD_LETTERS: usize = 1000;
        self.dead_letters.len() >= DEAD_LETTERS
    }

    /// The dead letters and aggregates that are due; nothing while the table is another's. While it is being built,
    /// there are no aggregates.
    pub(crate) fn take_outputs(&mut self) -> Option<(Vec<Output>, Vec<Output>)> {
        let aggregates = match self.state {
            State::Waiting => return None,
            State::CatchingUp { .. } => Vec::new(),
            State::Running => self.topology.take_aggregates(now()),
        };
        let aggregates = aggregates
            .into_iter()
            .map(|aggregate| Output {
                key: Some(aggregate.series.to_string().into_bytes()),
                value: Some(aggregate.to_json()),
                headers: Vec::new(),
            })
            .collect();
        Some((std::mem::take(&mut self.dead_letters), aggregates))
    }

    fn set_ready(&self, ready: bool) {
        self.shared.set_ready(ready);
        self.instruments.ready(ready);
    }

    fn log_bad(&mut self, record: &SourceRecord<'_>, bad: &BadRecord, now: i64) {
        if let Some(not_logged) = self.bad_lines.ask(now) {
            let key = record.key.map(|key| key.escape_ascii().take(200).map(char::from).collect::<String>());
            let (offset, reason) = (record.offset, bad.reason());
            warn!(offset, key, reason, not_logged, "bad record skipped: {}", bad.to_string().escape_debug());
        }
    }
}

/// The wall clock, in ms since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
