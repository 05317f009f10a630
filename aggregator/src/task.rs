//! The stream task: reads the source topic, applies the topology, and commits.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use tracing::{debug, error, info, warn};

use crate::config::Config;
use crate::error::Error;
use crate::instruments::Instruments;
use crate::publisher::{Output, Publisher, Rejected, may_heal};
use crate::shared::Shared;
use crate::source::{Polled, Rebalance, Source};
use crate::table_task::TableTask;
use crate::topology::SourceRecord;

/// The most records that are applied before the clock is looked at again.
const BATCH: usize = 1000;
const POLL: Duration = Duration::from_millis(100);
/// How long to wait before a batch is published again.
const RETRY: Duration = Duration::from_millis(500);
/// How long a stopping task tries to publish its last totals.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// One task for the one partition.
pub(crate) struct Task {
    config: Config,
    shared: Shared,
    source: Source,
    publisher: Publisher,
    table: TableTask,
    /// The group's offset.
    committed: i64,
    committed_at: Instant,
}

impl Task {
    pub(crate) fn new(config: Config, shared: Shared, instruments: Instruments) -> Result<Self, Error> {
        Ok(Self {
            source: Source::new(&config).map_err(Error::Client)?,
            publisher: Publisher::new(&config).map_err(Error::Client)?,
            table: TableTask::new(&config, shared.clone(), instruments),
            config,
            shared,
            committed: 0,
            committed_at: Instant::now(),
        })
    }

    /// Runs until it is told to stop, then commits once more.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let Config { application_id, topics, .. } = &self.config;
        info!(application_id, topic = topics.metrics, "joining the group and waiting for the partition");
        while !self.shared.stopping() {
            self.read();
            if self.committed_at.elapsed() >= self.config.commit_interval || self.table.is_full() {
                self.commit()?;
            }
        }
        self.commit()?;
        info!(position = self.table.topology.position(), "stopped");
        Ok(())
    }

    /// Applies what there is to read, up to a batch.
    fn read(&mut self) {
        let until_commit = self.config.commit_interval.saturating_sub(self.committed_at.elapsed());
        let mut timeout = until_commit.clamp(Duration::from_millis(1), POLL);
        for _ in 0..BATCH {
            let polled = self.source.poll(timeout);
            // An assignment comes before the first record that was fetched for it.
            for rebalance in self.source.rebalances() {
                match rebalance {
                    Rebalance::Assigned => self.committed = self.table.assigned(&self.source),
                    Rebalance::Revoked => self.table.revoked(),
                }
            }
            match polled {
                Polled::Record(message) => {
                    let record = SourceRecord {
                        offset: message.offset(),
                        timestamp: message.timestamp().to_millis(),
                        key: message.key(),
                        value: message.payload(),
                    };
                    self.table.apply(&record, self.committed);
                }
                Polled::End => self.table.caught_up(),
                Polled::OutOfRange => {
                    error!(
                        topic = self.config.topics.metrics,
                        position = self.table.topology.position(),
                        "the position is beyond the log: the topic was created anew; its totals are built from its beginning"
                    );
                    if let Err(error) = self.source.rewind() {
                        warn!(%error, "can't read from the beginning");
                    }
                    self.committed = self.table.assigned(&self.source);
                }
                Polled::Nothing => return,
            }
            timeout = Duration::ZERO;
        }
    }

    /// Publishes what changed, then commits the position: a failure in between repeats totals, and loses none.
    fn commit(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        self.committed_at = began;
        let position = self.table.topology.position();
        self.table.instruments.table(&self.table.topology, self.source.log_end());
        let Some((dead_letters, aggregates)) = self.table.take_outputs() else {
            return Ok(());
        };
        if dead_letters.is_empty() && aggregates.is_empty() && position == self.committed {
            return Ok(());
        }
        self.publish_dead_letters(&dead_letters)?;
        self.publish_aggregates(&aggregates)?;
        if position != self.committed {
            match self.source.commit(position) {
                Ok(()) => self.committed = position,
                // The next commit has a newer position; until then a restart would repeat dead letters, no more.
                Err(error) => warn!(%error, position, "can't commit the group's offset, and tries again"),
            }
        }
        self.table.instruments.committed(began.elapsed());
        debug!(position, aggregates = aggregates.len(), dead_letters = dead_letters.len(), "committed");
        Ok(())
    }

    fn publish_aggregates(&mut self, aggregates: &[Output]) -> Result<(), Error> {
        let topic = self.config.topics.aggregates.clone();
        let refused = self.publish(&topic, aggregates)?;
        self.table.instruments.published.increment(aggregates.len() - refused.len());
        match refused.into_iter().next() {
            Some(Rejected { error, .. }) => Err(Error::Refused {
                what: format!("publishing totals to {topic}; allow WRITE on it, and check its max.message.bytes"),
                source: error,
            }),
            None => Ok(()),
        }
    }

    fn publish_dead_letters(&mut self, dead_letters: &[Output]) -> Result<(), Error> {
        let topic = self.config.topics.dead_letters.clone();
        let refused = self.publish(&topic, dead_letters)?;
        let instruments = &self.table.instruments;
        instruments.dead_letters.increment(dead_letters.len() - refused.len());
        instruments.dead_letters_lost.increment(refused.len());
        if let Some(Rejected { error, .. }) = refused.first() {
            error!(topic, %error, lost = refused.len(), "kafka refuses copies of bad records: allow WRITE on the topic, and check its max.message.bytes");
        }
        Ok(())
    }

    /// Publishes until Kafka accepted everything, or refused it for good; gives what was refused.
    fn publish(&mut self, topic: &str, batch: &[Output]) -> Result<Vec<Rejected>, Error> {
        let mut refused = Vec::new();
        let mut pending: Vec<&Output> = batch.iter().collect();
        let mut give_up = None;
        while !pending.is_empty() {
            let (retry, lost): (Vec<_>, Vec<_>) =
                self.publisher.publish(topic, &pending).into_iter().partition(|rejected| may_heal(&rejected.error));
            refused.extend(lost);
            let Some(first) = retry.first() else { break };
            warn!(topic, error = %first.error, records = retry.len(), "kafka did not accept totals, and they are sent again");
            self.table.instruments.publish_retries.increment(1);
            if self.shared.stopping() && give_up.get_or_insert_with(Instant::now).elapsed() > STOP_TIMEOUT {
                return Err(Error::Uncommitted);
            }
            pending = retry.into_iter().filter_map(|rejected| pending.get(rejected.index).copied()).collect();
            thread::park_timeout(RETRY);
        }
        Ok(refused)
    }
}
