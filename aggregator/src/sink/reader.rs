//! The consumer of the totals. Each sink has a consumer group of its own and therefore its own position.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::time::{Duration, Instant};

use quipu_config::Config;
use quipu_record::Aggregate;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Message as _, Offset, Statistics, TopicPartitionList};
use tracing::{info, warn};

use quipu_kafka::{Bounded, CallError, Logged, client_config};

use crate::error::Error;
use crate::shared::Shared;

use super::batch::Batch;
use super::status::Status;

/// How long a batch waits for more after its first record.
const LINGER: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(100);
/// How long a call of the client may take.
const BOUND: Duration = Duration::from_secs(15);
/// How long a sink that ends waits for the answers to its commits, and then again to leave the group.
const CLOSE_BOUND: Duration = Duration::from_secs(2);

/// Reads aggregates, from the beginning of the topic if the group has no position.
pub(crate) struct Reader {
    consumer: Bounded<BaseConsumer<Context>>,
    topic: String,
    is_paused: bool,
    /// Records that arrived while the partitions were paused.
    early: Batch,
    revoked: bool,
    unreadable: usize,
}

impl Reader {
    /// Creates the consumer. It updates the lag in `status` once a second.
    pub(crate) fn new(config: &Config, group: &str, status: Arc<Status>) -> Result<Self, Error> {
        let topic = config.topics.aggregates.clone();
        let consumer: BaseConsumer<Context> = client_config(config.client_properties())
            .set("group.id", group)
            .set("client.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", "10000")
            .set("statistics.interval.ms", "1000")
            .create_with_context(Context::new(group, status))
            .map_err(Error::Client)?;
        let consumer = Bounded::new(consumer).map_err(Error::thread)?;
        let subscribed = topic.clone();
        consumer.call("subscribe", BOUND, move |consumer| consumer.subscribe(&[&subscribed]))?;
        Ok(Self { consumer, topic, is_paused: false, early: Batch::default(), revoked: false, unreadable: 0 })
    }

    /// Reads at most `most` aggregates. The batch is empty if none arrives within [`POLL`].
    pub(crate) fn read(&mut self, most: usize, shared: &Shared) -> Batch {
        self.pause(false);
        let mut batch = std::mem::take(&mut self.early);
        let mut deadline = Instant::now() + POLL;
        while batch.aggregates.len() < most && !shared.stopping() {
            let first = batch.is_empty();
            if !self.poll_into(&mut batch, deadline.saturating_duration_since(Instant::now())) {
                break;
            }
            if first {
                deadline = Instant::now() + LINGER;
            }
        }
        batch
    }

    /// Waits without reading, and stays a member of the group.
    pub(crate) fn wait(&mut self, duration: Duration, shared: &Shared) {
        let deadline = Instant::now() + duration;
        let mut early = std::mem::take(&mut self.early);
        self.pause(true);
        while !shared.stopping() {
            let left = deadline.saturating_duration_since(Instant::now());
            self.poll_into(&mut early, left.min(POLL));
            if left.is_zero() {
                break;
            }
        }
        self.early = early;
    }

    /// Commits the group's offsets without waiting for the answer, which a later call reads. If the commit fails, the context
    /// logs it, and the next commit has newer offsets.
    pub(crate) fn commit(&self, offsets: &[(i32, i64)]) -> KafkaResult<()> {
        let mut partitions = TopicPartitionList::new();
        for (partition, offset) in offsets {
            partitions.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        self.consumer.commit(&partitions, CommitMode::Async)?;
        self.consumer.context().commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Waits for the answers to the commits that are under way, then leaves the group. Both are bounded in time.
    pub(crate) fn close(self) {
        let deadline = Instant::now() + CLOSE_BOUND;
        while self.consumer.context().commits.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            drop(self.consumer.poll(POLL));
        }
        if !self.consumer.close(CLOSE_BOUND) {
            warn!("leaving the sink's group took too long; its partitions are assigned anew after the session timeout");
        }
    }

    /// Whether the consumer can be used.
    ///
    /// # Errors
    /// A call of the consumer did not return.
    pub(crate) fn check(&self) -> Result<(), CallError> {
        self.consumer.check()
    }

    /// Whether partitions were revoked since the last call. If so, another process continues from the group's position,
    /// and only the last batch of [`read`](Self::read) was read after the revocation.
    pub(crate) fn take_revoked(&mut self) -> bool {
        std::mem::take(&mut self.revoked)
    }

    /// How many records were skipped since the last call because they are not aggregates.
    pub(crate) fn take_unreadable(&mut self) -> usize {
        std::mem::take(&mut self.unreadable)
    }

    /// Polls once. Returns whether a record or the end of a partition was read.
    fn poll_into(&mut self, batch: &mut Batch, timeout: Duration) -> bool {
        let polled = self.consumer.poll(timeout);
        // Partitions may be revoked and assigned again while the sink waits for its target. Reading then continues at the
        // group's position, so only what was read before is dropped.
        if self.consumer.context().revoked.swap(false, Ordering::Relaxed) {
            self.revoked = true;
            *batch = Batch::default();
        }
        if self.consumer.context().assigned.swap(false, Ordering::Relaxed) {
            self.apply_pause();
        }
        let message = match polled {
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.consumer.context().logged.works();
                // The marker of the transaction follows the last total. It moves the position and is not returned.
                if let Some(next) = self.position(partition) {
                    batch.advance(partition, next);
                }
                return true;
            }
            // The context has logged the error; the client retries.
            Some(Err(_)) | None => return false,
        };
        self.consumer.context().logged.works();
        batch.advance(message.partition(), message.offset() + 1);
        // Only an operator writes tombstones here, and a sink writes nothing for them.
        if let Some(value) = message.payload() {
            match Aggregate::decode(value) {
                Ok(aggregate) => batch.aggregates.push(aggregate),
                Err(error) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    warn!(
                        topic = self.topic,
                        partition,
                        offset,
                        "not an aggregate; the record is skipped: {}",
                        error.to_string().escape_debug()
                    );
                    self.unreadable += 1;
                }
            }
        }
        true
    }

    /// The offset of the next record to read.
    fn position(&self, partition: i32) -> Option<i64> {
        let positions = self.consumer.call("position", BOUND, Consumer::position).ok()?;
        match positions.find_partition(&self.topic, partition)?.offset() {
            Offset::Offset(next) => Some(next),
            _ => None,
        }
    }

    fn pause(&mut self, pause: bool) {
        if self.is_paused != pause {
            self.is_paused = pause;
            self.apply_pause();
        }
    }

    /// Pauses or resumes all partitions. The client keeps the pause of a partition that is revoked and assigned again, so
    /// the reader applies its own state after each assignment.
    fn apply_pause(&self) {
        let is_paused = self.is_paused;
        let applied = self.consumer.call("pause", BOUND, move |consumer| {
            let assigned = consumer.assignment()?;
            if is_paused { consumer.pause(&assigned) } else { consumer.resume(&assigned) }
        });
        if let Err(error) = applied {
            warn!(%error, "can't pause or resume reading; retrying");
            self.consumer.context().assigned.store(true, Ordering::Relaxed);
        }
    }
}

struct Context {
    logged: Logged,
    revoked: AtomicBool,
    assigned: AtomicBool,
    /// How many commits have no answer yet.
    commits: AtomicIsize,
    status: Arc<Status>,
}

impl Context {
    fn new(group: &str, status: Arc<Status>) -> Self {
        let (revoked, assigned) = (AtomicBool::default(), AtomicBool::default());
        Self { logged: Logged::new(group), revoked, assigned, commits: AtomicIsize::default(), status }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logged.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logged.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.status.lag(lag(&statistics));
        // No total may arrive for a while, so a connection is enough to end an outage.
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            self.logged.connected();
        }
    }
}

/// How many offsets follow the group's, in the partitions that this process has. For partitions that another process has
/// now, librdkafka keeps old numbers; those do not count.
fn lag(statistics: &Statistics) -> i64 {
    let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
    let lags = partitions.filter(|partition| partition.desired).map(|partition| {
        let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
        // A group without a position begins at the beginning of the log.
        (end - partition.committed_offset.max(partition.lo_offset).max(0)).max(0)
    });
    lags.sum()
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.commits.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = result {
            warn!(%error, "can't commit the sink's position; the next commit has a newer one");
        }
    }

    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                info!(partitions = partitions.count(), "partitions of the sink's group were assigned");
                self.assigned.store(true, Ordering::Relaxed);
            }
            Rebalance::Revoke(_) => self.revoked.store(true, Ordering::Relaxed),
            Rebalance::Error(error) => warn!(%error, "the rebalance of the sink's group failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::{Partition, Topic};

    use super::*;

    #[test]
    fn the_lag_is_that_of_the_partitions_that_are_ours() {
        let partition =
            Partition { lo_offset: 5, hi_offset: 30, ls_offset: 25, committed_offset: 20, ..Partition::default() };
        let ours = |partition| Partition { desired: true, ..partition };
        let lag_of = |partitions: &[Partition]| {
            let partitions = partitions.iter().cloned().zip(0..).map(|(partition, at)| (at, partition)).collect();
            let topics = [("totals".to_owned(), Topic { partitions, ..Topic::default() })].into();
            lag(&Statistics { topics, ..Statistics::default() })
        };
        assert_eq!(lag_of(&[ours(partition.clone()), partition.clone()]), 5);
        assert_eq!(lag_of(std::slice::from_ref(&partition)), 0, "another process has it");
        assert_eq!(lag_of(&[ours(Partition { committed_offset: -1001, ..partition.clone() })]), 20, "no position yet");
        assert_eq!(lag_of(&[ours(Partition { ls_offset: -1, ..partition })]), 10);
    }
}
