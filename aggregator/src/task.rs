//! The stream task: reads the source topic, applies the topology, and commits.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use quipu_record::BadRecord;
use rdkafka::Message as _;
use tracing::{debug, info, warn};

use crate::config::Config;
use crate::engine::{Committed, Engine, State};
use crate::error::Error;
use crate::http::{Questions, View};
use crate::instruments::Instruments;
use crate::kafka_log::KafkaLog;
use crate::rate_limit::RateLimit;
use crate::shared::Shared;
use crate::source::{Polled, Rebalance, Source};
use crate::store::AnyStore;
use crate::topology::{Settings, SourceRecord};

/// The most records that are applied before the clock is looked at again.
const BATCH: usize = 1000;
const POLL: Duration = Duration::from_millis(100);

/// One task for the one partition.
pub(crate) struct Task {
    config: Config,
    shared: Shared,
    source: Arc<Source>,
    engine: Engine<KafkaLog, AnyStore>,
    instruments: Instruments,
    view: View,
    questions: Questions,
    committed_at: Instant,
    bad_lines: RateLimit,
    progress_lines: RateLimit,
}

impl Task {
    pub(crate) fn new(
        config: Config,
        shared: Shared,
        instruments: Instruments,
        view: View,
        questions: Questions,
    ) -> Result<Self, Error> {
        let source = Arc::new(Source::new(&config).map_err(Error::Client)?);
        let log = KafkaLog::new(&config, shared.clone(), Arc::clone(&source))?;
        let store = AnyStore::new(&config)?;
        let settings = Settings {
            instance_timeout_ms: millis(config.instance_timeout),
            refresh_interval_ms: millis(config.refresh_interval),
            max_rows: config.limits.max_rows,
            max_series: config.limits.max_series,
            audits: config.audits.clone(),
        };
        Ok(Self {
            engine: Engine::new(log, store, settings, &config.topics.metrics),
            config,
            shared,
            source,
            instruments,
            view,
            questions,
            committed_at: Instant::now(),
            bad_lines: RateLimit::new(5, 10_000),
            progress_lines: RateLimit::new(1, 5_000),
        })
    }

    /// Runs until it is told to stop, then commits once more.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let Config { application_id, topics, .. } = &self.config;
        info!(application_id, topic = topics.metrics, "joining the group and waiting for the partition");
        while !self.shared.stopping() {
            let before = self.engine.state();
            self.read()?;
            let may_speak = before != State::Running && self.engine.state() == State::Running;
            let due = self.committed_at.elapsed() >= self.config.commit_interval;
            if due || may_speak || self.engine.is_full() {
                self.commit()?;
            }
        }
        self.commit()?;
        info!(position = self.engine.topology().position(), "stopped");
        Ok(())
    }

    /// Applies what there is to read, up to a batch.
    fn read(&mut self) -> Result<(), Error> {
        let until_commit = self.config.commit_interval.saturating_sub(self.committed_at.elapsed());
        let mut timeout = until_commit.clamp(Duration::from_millis(1), POLL);
        let mut clock = None;
        for _ in 0..BATCH {
            let polled = self.source.poll(timeout);
            if let Some(rebalances) = self.source.rebalances() {
                // What was fetched before the rows were restored does not count.
                drop(polled);
                return self.rebalance(&rebalances);
            }
            // A batch takes a few milliseconds: the time of its first record is that of all.
            let now = *clock.get_or_insert_with(now);
            match polled {
                Polled::Record(message) => {
                    let record = SourceRecord {
                        offset: message.offset(),
                        timestamp: message.timestamp().to_millis(),
                        key: message.key(),
                        value: message.payload(),
                    };
                    if let Some(result) = self.engine.apply(&record, now) {
                        self.instruments.record(&result);
                        if let Err(bad) = result
                            && let Some(not_logged) = self.bad_lines.ask(now)
                        {
                            log_bad(&record, &bad, not_logged);
                        }
                    }
                }
                Polled::End => self.engine.caught_up(),
                Polled::OutOfRange => return self.engine.assigned(now),
                Polled::Nothing => break,
            }
            timeout = Duration::ZERO;
        }
        self.tell();
        Ok(())
    }

    fn rebalance(&mut self, rebalances: &[Rebalance]) -> Result<(), Error> {
        for rebalance in rebalances {
            match rebalance {
                Rebalance::Assigned => self.engine.assigned(now())?,
                Rebalance::Revoked => {
                    if self.engine.state() != State::Waiting {
                        info!("the partition is no longer ours");
                    }
                    self.engine.revoked();
                }
            }
        }
        self.tell();
        Ok(())
    }

    /// Tells the rest of the process, and the log, how far the engine is.
    fn tell(&mut self) {
        self.instruments.records_read();
        let state = self.engine.state();
        if state != State::Running {
            self.view.clear();
        }
        self.questions.answer(self.engine.topology());
        self.instruments.ready(state == State::Running);
        if let State::CatchingUp(end) = state
            && self.progress_lines.ask(now()).is_some()
        {
            let topology = self.engine.topology();
            info!(position = topology.position(), end, rows = topology.rows(), "building the table");
        }
    }

    fn commit(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        self.committed_at = began;
        self.instruments.table(self.engine.topology(), self.source.log_end());
        let committed = self.engine.commit(now())?;
        self.instruments.came_and_went(self.engine.take_events());
        self.instruments.dead_letters_lost.increment(self.shared.take_lost_dead_letters());
        if let Some(Committed { position, totals, rows, dead_letters }) = committed {
            self.view.update(position, &totals);
            let aggregates = totals.len();
            self.instruments.committed(began.elapsed());
            self.instruments.published.increment(aggregates);
            self.instruments.dead_letters.increment(dead_letters);
            debug!(position, aggregates, rows, dead_letters, "committed");
        } else if self.engine.state() == State::Running {
            // There was nothing to say; the first time, because there is nothing at all.
            self.view.update(self.engine.topology().position(), &[]);
        }
        Ok(())
    }
}

fn log_bad(record: &SourceRecord<'_>, bad: &BadRecord, not_logged: u64) {
    let key = record.key.map(|key| key.escape_ascii().take(200).map(char::from).collect::<String>());
    let (offset, reason) = (record.offset, bad.reason());
    warn!(offset, key, reason, not_logged, "bad record skipped: {}", bad.to_string().escape_debug());
}

/// The wall clock, in ms since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
