//! The consumer of the totals: a group of its own for each sink, so that each has its own position.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use quipu_record::Aggregate;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Message as _, Offset, Statistics, TopicPartitionList};
use tracing::{info, warn};

use crate::client::{client_config, log, report};
use crate::config::Config;
use crate::shared::Shared;

use super::batch::Batch;

/// How long a batch waits for more after its first record.
const LINGER: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_millis(100);

/// Reads aggregates, from the beginning of the topic if the group has no position.
pub(crate) struct Reader {
    consumer: BaseConsumer<Context>,
    topic: String,
    is_paused: bool,
    /// What came although the partitions are paused.
    early: Batch,
    revoked: bool,
    unreadable: usize,
}

impl Reader {
    pub(crate) fn new(config: &Config, group: &str) -> KafkaResult<Self> {
        let topic = config.topics.aggregates.clone();
        let consumer: BaseConsumer<Context> = client_config(config)
            .set("group.id", group)
            .set("client.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", "10000")
            .set("statistics.interval.ms", "1000")
            .create_with_context(Context::default())?;
        consumer.subscribe(&[&topic])?;
        Ok(Self { consumer, topic, is_paused: false, early: Batch::default(), revoked: false, unreadable: 0 })
    }

    /// The next records, at most so many; an empty batch if there are none for a moment.
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

    /// Waits, as a member of the group that reads nothing.
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

    /// Commits the group's offsets.
    pub(crate) fn commit(&self, offsets: &[(i32, i64)]) -> KafkaResult<()> {
        let mut partitions = TopicPartitionList::new();
        for (partition, offset) in offsets {
            partitions.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        self.consumer.commit(&partitions, CommitMode::Sync)
    }

    /// Whether partitions were taken from this process since the last call: what was read before is another's now. What
    /// [`read`](Self::read) returned last was read after it.
    pub(crate) fn take_revoked(&mut self) -> bool {
        std::mem::take(&mut self.revoked)
    }

    /// How many records that are no aggregates were skipped since the last call.
    pub(crate) fn take_unreadable(&mut self) -> usize {
        std::mem::take(&mut self.unreadable)
    }

    /// How many records there were after the group's offset, when the client last heard of it (once a second).
    pub(crate) fn lag(&self) -> i64 {
        self.consumer.context().lag.load(Ordering::Relaxed)
    }

    /// Polls once; whether a record came.
    fn poll_into(&mut self, batch: &mut Batch, timeout: Duration) -> bool {
        let polled = self.consumer.poll(timeout);
        // Partitions may be taken and given back while the target is waited for. What is read after that goes on from
        // the group's position, and stays.
        if self.consumer.context().revoked.swap(false, Ordering::Relaxed) {
            self.revoked = true;
            *batch = Batch::default();
        }
        if self.consumer.context().assigned.swap(false, Ordering::Relaxed) {
            self.apply_pause();
        }
        let message = match polled {
            None => return false,
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                // A broker that is away was reported by the context; the client goes on trying.
                warn!(topic = self.topic, %error, "can't read totals, and goes on trying");
                return false;
            }
        };
        batch.advance(message.partition(), message.offset() + 1);
        // A tombstone would be an operator's; there is nothing to write for it.
        if let Some(value) = message.payload() {
            match Aggregate::decode(value) {
                Ok(aggregate) => batch.aggregates.push(aggregate),
                Err(error) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    warn!(
                        topic = self.topic,
                        partition,
                        offset,
                        "no aggregate, skipped: {}",
                        error.to_string().escape_debug()
                    );
                    self.unreadable += 1;
                }
            }
        }
        true
    }

    fn pause(&mut self, pause: bool) {
        if self.is_paused != pause {
            self.is_paused = pause;
            self.apply_pause();
        }
    }

    /// A partition stays paused when it is taken away and given back, so it is told after each assignment what it is.
    fn apply_pause(&self) {
        let applied = self.consumer.assignment().and_then(|assigned| {
            if self.is_paused { self.consumer.pause(&assigned) } else { self.consumer.resume(&assigned) }
        });
        if let Err(error) = applied {
            warn!(%error, "can't pause or resume reading, and tries again");
            self.consumer.context().assigned.store(true, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct Context {
    revoked: AtomicBool,
    assigned: AtomicBool,
    lag: AtomicI64,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let lags = partitions.map(|partition| {
            let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
            // A group without a position begins where the log does.
            (end - partition.committed_offset.max(partition.lo_offset).max(0)).max(0)
        });
        self.lag.store(lags.sum(), Ordering::Relaxed);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                info!(partitions = partitions.count(), "the sink's group gave us partitions");
                self.assigned.store(true, Ordering::Relaxed);
            }
            Rebalance::Revoke(_) => self.revoked.store(true, Ordering::Relaxed),
            Rebalance::Error(error) => warn!(%error, "the sink's group failed to share the partitions"),
        }
    }
}
