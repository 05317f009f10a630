//! The stream task: reads the source topic, applies the topology, and commits.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use quipu_config::{Config, ProcessingGuarantee};
use quipu_record::{BadRecord, Millis, Offset, Partition};
use quipu_topology::{Audit, Retention, Settings, SourceRecord};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Timestamp};
use tracing::{debug, info, warn};

use crate::engine::{Committed, Engine, EngineError, State};
use crate::error::Error;
use crate::health::Freshness;
use crate::http::{Queries, View};
use crate::instruments::Instruments;
use crate::kafka::{Interruption, KafkaLog, Rebalance, Source};
use crate::rate_limit::RateLimit;
use crate::shared::Shared;
use crate::store::AnyStore;

/// The most records that are applied before something else is done.
const RECORDS: usize = 1000;
/// The most records whose rows are prefetched at once.
const BATCH: usize = 100;
/// The partition of the source topic, the changelog and the totals that a task works on.
pub(crate) const PARTITION: Partition = Partition(0);
const POLL: Duration = Duration::from_millis(100);
/// How long the task waits for a commit under way before it polls for records again.
const PATIENCE: Duration = Duration::from_millis(1);

/// One task for the one partition.
pub(crate) struct Task {
    config: Config,
    shared: Shared,
    freshness: Freshness,
    source: Arc<Source>,
    /// Everything before this offset was read, including the markers of transactions, which the consumer does not return.
    read_to: Offset,
    engine: Engine<KafkaLog, AnyStore>,
    instruments: Instruments,
    view: View,
    queries: Queries,
    /// When the last commit began.
    commit_began: Instant,
    /// The longest step of the commit under way.
    longest_step: Duration,
    /// Whether totals were published since the table was restored.
    has_published: bool,
    bad_lines: RateLimit,
    progress_lines: RateLimit,
}

impl Task {
    pub(crate) fn new(
        config: Config,
        shared: Shared,
        freshness: Freshness,
        source: Arc<Source>,
        instruments: Instruments,
        view: View,
        queries: Queries,
    ) -> Result<Self, Error> {
        let log = KafkaLog::new(&config, PARTITION, shared.clone(), Arc::clone(&source))?;
        let store = AnyStore::new(&config)?.watched(shared.progress.clone());
        let audits = config.audits.iter().cloned();
        let audits = audits.map(|quipu_config::Audit { name, sent, processed }| Audit { name, sent, processed });
        let settings = Settings {
            instance_timeout: millis(config.instance_timeout),
            refresh_interval: millis(config.refresh_interval),
            retention: retention(&config),
            max_rows: config.limits.max_rows,
            max_series: config.limits.max_series,
            audits: audits.collect(),
        };
        Ok(Self {
            engine: Engine::new(log, store, settings, &config.topics.metrics),
            config,
            shared,
            freshness,
            source,
            read_to: Offset::ZERO,
            instruments,
            view,
            queries,
            commit_began: Instant::now(),
            longest_step: Duration::ZERO,
            has_published: false,
            bad_lines: RateLimit::new(5, 10_000),
            progress_lines: RateLimit::new(1, 5_000),
        })
    }

    /// Runs until the process stops, then commits once more and leaves the group.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        self.process()?;
        let Self { engine, source, shared, .. } = self;
        let position = (engine.state() == State::Running).then(|| engine.committed());
        shared.progress.step("leaving the group");
        drop(engine);
        if let Some(source) = Arc::into_inner(source) {
            source.close(position);
        }
        Ok(())
    }

    fn process(&mut self) -> Result<(), Error> {
        let Config { application_id, topics, .. } = &self.config;
        info!(application_id, topic = topics.metrics, "joining the group and waiting for the partition");
        while !self.shared.stopping() {
            let patience = if self.read()? > 0 { Duration::ZERO } else { PATIENCE };
            let may_publish = !self.has_published && self.engine.state() == State::Running;
            let is_due = self.commit_began.elapsed() >= self.config.commit_interval;
            if !self.engine.is_committing() && (is_due || may_publish || self.engine.is_full()) {
                self.begin_commit();
            }
            self.advance(patience)?;
        }
        // The commit under way was cut before the last records were applied.
        self.finish_commit()?;
        self.begin_commit();
        self.finish_commit()?;
        info!(position = %self.engine.topology().position(), "stopped");
        Ok(())
    }

    /// Reads and applies records, up to a limit. Returns how many.
    fn read(&mut self) -> Result<usize, Error> {
        let committing = self.engine.is_committing();
        if committing && self.engine.is_full() {
            // There is no room for more bad records.
            return Ok(0);
        }
        let mut timeout = if committing || self.queries.is_scanning() {
            Duration::ZERO
        } else if self.engine.has_uncommitted() {
            self.config.commit_interval.saturating_sub(self.commit_began.elapsed()).min(POLL)
        } else {
            POLL
        };
        let source = Arc::clone(&self.source);
        let mut records = 0;
        while records < RECORDS {
            let (batch, interruption) = source.poll(BATCH, timeout);
            self.apply(&batch);
            records += batch.len();
            timeout = Duration::ZERO;
            match interruption {
                None => {}
                Some(Interruption::Nothing) => break,
                Some(Interruption::End) => {
                    self.engine.caught_up();
                    self.read_to = source.position()?.unwrap_or(self.read_to);
                    self.shared.progress.step("reading");
                }
                Some(Interruption::Rebalanced(rebalances)) => {
                    self.rebalance(&rebalances)?;
                    break;
                }
                Some(Interruption::OutOfRange) => {
                    self.assigned()?;
                    break;
                }
                Some(Interruption::Fatal(error)) => return Err(Error::Consumer(error)),
            }
        }
        self.report();
        // A poll that returns nothing is a step only if there is nothing to read.
        if records > 0 || self.freshness.lag(Instant::now()).is_none_or(|lag| lag == 0) {
            self.shared.progress.step("reading");
        }
        Ok(records)
    }

    fn apply(&mut self, batch: &[BorrowedMessage<'_>]) {
        if batch.is_empty() {
            return;
        }
        self.engine.topology().prefetch(batch.iter().filter_map(Message::key));
        // A batch takes a fraction of a millisecond, so that one reading of the clock does for all of it.
        let now = now();
        for message in batch {
            let record = SourceRecord {
                offset: Offset(message.offset()),
                timestamp: message.timestamp().to_millis().map(Millis),
                is_append_time: matches!(message.timestamp(), Timestamp::LogAppendTime(_)),
                key: message.key(),
                value: message.payload(),
            };
            if let Some(result) = self.engine.apply(&record, now) {
                self.instruments.record(&result);
                if let Err(bad) = result
                    && let Some(not_logged) = self.bad_lines.ask(now.0)
                {
                    log_bad(&record, &bad, not_logged);
                }
            }
        }
    }

    fn rebalance(&mut self, rebalances: &[Rebalance]) -> Result<(), Error> {
        for rebalance in rebalances {
            match rebalance {
                Rebalance::Assigned => self.assigned()?,
                Rebalance::Revoked => {
                    if self.engine.state() != State::Waiting {
                        info!("the partition was revoked; this process is a standby");
                    }
                    self.engine.revoked();
                }
            }
        }
        Ok(())
    }

    /// Restores the table. Until that is done, HTTP serves no totals.
    fn assigned(&mut self) -> Result<(), Error> {
        self.has_published = false;
        self.view.clear();
        self.read_to = Offset::ZERO;
        self.engine.assigned(now()).map_err(|error| ended(&self.config, error))
    }

    /// Reports to the metrics, to HTTP and to the log how far the engine is.
    fn report(&mut self) {
        self.instruments.records_read();
        let state = self.engine.state();
        if state != State::Running {
            self.has_published = false;
            self.view.clear();
        }
        self.queries.answer(self.engine.topology_mut(), state == State::Running);
        self.measure();
        if let State::CatchingUp(end) = state
            && self.progress_lines.ask(now().0).is_some()
        {
            let topology = self.engine.topology();
            info!(position = %topology.position(), %end, rows = topology.rows(), "restoring the table from the source topic");
        }
    }

    /// Notes how far was read and committed.
    fn measure(&self) {
        let (read, committed) = (self.read_to.max(self.engine.topology().position()), self.engine.committed());
        match self.engine.state() {
            State::Waiting => self.freshness.standby(),
            State::Running if !self.engine.is_committing() && !self.engine.has_uncommitted() => {
                self.freshness.at(read.0, read.0);
            }
            State::Running | State::CatchingUp(_) => self.freshness.at(read.0, committed.0),
        }
    }

    fn begin_commit(&mut self) {
        self.commit_began = Instant::now();
        let topology = self.engine.topology();
        self.instruments.table(topology);
        self.engine.begin_commit(now());
        self.longest_step = self.commit_began.elapsed();
        self.instruments.run_events(self.engine.take_events());
        if self.engine.state() == State::Running {
            self.has_published = true;
            if !self.engine.is_committing() {
                // Nothing changed. The first time it makes an empty table available.
                self.view.update(self.engine.topology().position(), &[], &[]);
            }
        }
    }

    /// Makes all steps of the commit under way. The task keeps polling, because the group may take the partition away.
    fn finish_commit(&mut self) -> Result<(), Error> {
        while self.engine.is_committing() {
            self.read()?;
            self.advance(PATIENCE)?;
        }
        Ok(())
    }

    /// Makes a step of the commit under way, if there is one.
    fn advance(&mut self, patience: Duration) -> Result<(), Error> {
        if !self.engine.is_committing() {
            return Ok(());
        }
        let began = Instant::now();
        let committed = self.engine.advance(patience).map_err(|error| ended(&self.config, error))?;
        self.longest_step = self.longest_step.max(began.elapsed());
        self.instruments.dead_letters_lost.increment(self.shared.take_lost_dead_letters() as u64);
        if let Some(Committed { position, aggregates, removed, rows, dead_letters }) = committed {
            if let Some(position) = position {
                self.view.update(position, &aggregates, &removed);
            }
            let aggregates = aggregates.len();
            self.instruments.committed(self.commit_began.elapsed(), self.longest_step);
            self.instruments.published.increment(aggregates as u64);
            self.instruments.dead_letters.increment(dead_letters as u64);
            debug!(position = position.map(|position| position.0), aggregates, rows, dead_letters, "committed");
        }
        Ok(())
    }
}

/// The error of a process whose engine ended.
fn ended(config: &Config, error: EngineError<Error>) -> Error {
    match error {
        EngineError::Port(error) => error,
        EngineError::Unreadable(why) => Error::Changelog { topic: config.topics.state.clone(), why },
        EngineError::Uncommitted => Error::Uncommitted,
    }
}

fn log_bad(record: &SourceRecord<'_>, bad: &BadRecord, not_logged: u64) {
    let key = record.key.map(|key| key.escape_ascii().take(200).map(char::from).collect::<String>());
    let (offset, reason) = (record.offset, bad.reason());
    warn!(%offset, key, reason, not_logged, "bad record skipped: {}", bad.to_string().escape_debug());
}

/// The time by the wall clock.
fn now() -> Millis {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(Millis(0), millis)
}

fn millis(duration: Duration) -> Millis {
    i64::try_from(duration.as_millis()).map_or(Millis::MAX, Millis)
}

/// With at-least-once nothing expires: after a crash, a part of what a retirement wrote may be missing.
fn retention(config: &Config) -> Retention {
    match config.processing_guarantee {
        ProcessingGuarantee::ExactlyOnce => {
            Retention { runs: config.retention.runs.map(millis), finished: config.retention.finished.map(millis) }
        }
        ProcessingGuarantee::AtLeastOnce => Retention::default(),
    }
}
