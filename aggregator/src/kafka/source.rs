//! The consumer of the source topic: a member of the aggregator's group that decides itself where it starts.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quipu_config::Config;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, Statistics, TopicPartitionList};
use tracing::warn;

use super::client::{client_config, log, report, set_default};
use super::publisher::Publisher;

const PARTITION: i32 = 0;
const TIMEOUT: Duration = Duration::from_secs(10);
/// How records are fetched ahead: few, so that they take little memory, but never so few that the task waits for them.
/// By default librdkafka fetches 100,000 and then nothing for a second, which the task does not need to read them.
///
/// A fetch of nothing waits at the broker, and only then is it known that the log was read to its end: not for half a
/// second.
const READING: [(&str, &str); 4] = [
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "50"),
];

/// Reads the source topic.
pub(crate) struct Source {
    consumer: BaseConsumer<Context>,
    topic: String,
}

/// Whether the partition is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rebalance {
    Assigned,
    Revoked,
}

/// What came instead of the next record.
pub(crate) enum Interruption {
    /// Nothing yet.
    Nothing,
    /// All records that the log has now were read.
    End,
    /// The assignment is another one now. Records that come before the rows are restored do not count.
    Rebalanced(Vec<Rebalance>),
    /// The position is beyond the log: the topic is another one than before.
    OutOfRange,
    /// Nothing more will come.
    Fatal(KafkaError),
}

impl Source {
    pub(crate) fn new(config: &Config) -> KafkaResult<Self> {
        let topic = config.topics.metrics.clone();
        let mut client = client_config(config);
        if !config.group_instance_id.is_empty() {
            client.set("group.instance.id", &config.group_instance_id);
        }
        set_default(&mut client, "session.timeout.ms", "10000");
        for (name, value) in READING {
            set_default(&mut client, name, value);
        }
        let consumer: BaseConsumer<Context> = client
            .set("group.id", &config.application_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("partition.assignment.strategy", "range")
            .set("statistics.interval.ms", "1000")
            .create_with_context(Context::default())?;
        // A client that has no connection yet when it is to look for the group's coordinator looks again a second later.
        _ = consumer.fetch_metadata(Some(&topic), TIMEOUT);
        consumer.subscribe(&[&topic])?;
        Ok(Self { consumer, topic })
    }

    /// The next records, `max` at most, and what came instead of one more. Waits for the first, for no longer than
    /// `timeout`.
    pub(crate) fn poll(&self, max: usize, timeout: Duration) -> (Vec<BorrowedMessage<'_>>, Option<Interruption>) {
        let mut records = Vec::with_capacity(max);
        while records.len() < max {
            let timeout = if records.is_empty() { timeout } else { Duration::ZERO };
            let polled = self.consumer.poll(timeout);
            if let Some(rebalances) = self.consumer.context().take_rebalances() {
                return (records, Some(Interruption::Rebalanced(rebalances)));
            }
            match polled {
                Some(Ok(record)) => records.push(record),
                Some(Err(error)) => return (records, Some(self.interruption(error))),
                None => return (records, Some(Interruption::Nothing)),
            }
        }
        (records, None)
    }

    fn interruption(&self, error: KafkaError) -> Interruption {
        match (&error, error.rdkafka_error_code()) {
            (KafkaError::PartitionEOF(_), _) => return Interruption::End,
            (KafkaError::MessageConsumptionFatal(_), _) => return Interruption::Fatal(error),
            (_, Some(RDKafkaErrorCode::AutoOffsetReset)) => return Interruption::OutOfRange,
            // A broker that is away was reported by the context; the client goes on trying.
            (_, Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown)) => {}
            _ => warn!(topic = self.topic, %error, "can't read, and goes on trying"),
        }
        Interruption::Nothing
    }

    /// Asks Kafka for the group's offset.
    pub(crate) fn committed(&self) -> KafkaResult<Option<i64>> {
        let mut partition = TopicPartitionList::new();
        partition.add_partition(&self.topic, PARTITION);
        let committed = self.consumer.committed_offsets(partition, TIMEOUT)?;
        Ok(match committed.find_partition(&self.topic, PARTITION).map(|partition| partition.offset()) {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        })
    }

    /// Where the log ends, as the client learned it within the last second or with its last fetch; 0 if it does not
    /// know.
    pub(crate) fn log_end(&self) -> i64 {
        self.consumer.context().log_end.load(Ordering::Relaxed)
    }

    /// Reads on from `position`.
    pub(crate) fn seek(&self, position: i64) -> KafkaResult<()> {
        self.consumer.assign(&self.at(position)?)
    }

    /// Leaves the group and joins it again.
    pub(crate) fn rejoin(&self) -> KafkaResult<()> {
        self.consumer.unsubscribe();
        self.consumer.subscribe(&[&self.topic])
    }

    /// Commits the group's offset.
    pub(crate) fn commit(&self, position: i64) -> KafkaResult<()> {
        self.consumer.commit(&self.at(position)?, CommitMode::Sync)
    }

    /// Makes the group's offset a part of a transaction.
    pub(crate) fn commit_with(&self, position: i64, transaction: &Publisher) -> KafkaResult<()> {
        let group =
            self.consumer.group_metadata().ok_or(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownMemberId))?;
        transaction.send_offsets(&self.at(position)?, &group)
    }

    fn at(&self, position: i64) -> KafkaResult<TopicPartitionList> {
        let mut partition = TopicPartitionList::new();
        partition.add_partition_offset(&self.topic, PARTITION, Offset::Offset(position))?;
        Ok(partition)
    }
}

#[derive(Default)]
struct Context {
    rebalances: Mutex<Vec<Rebalance>>,
    /// Whether there are any: this is asked for every record.
    rebalanced: AtomicBool,
    log_end: AtomicI64,
}

impl Context {
    /// What happened to our assignment since the last call.
    fn take_rebalances(&self) -> Option<Vec<Rebalance>> {
        self.rebalanced.swap(false, Ordering::Acquire).then(|| std::mem::take(&mut *self.rebalances()))
    }

    fn rebalances(&self) -> MutexGuard<'_, Vec<Rebalance>> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let ends = statistics.topics.values().filter_map(|topic| topic.partitions.get(&PARTITION));
        if let Some(end) = ends.map(|partition| partition.ls_offset.max(partition.hi_offset)).max() {
            self.log_end.store(end, Ordering::Relaxed);
        }
    }
}

impl ConsumerContext for Context {
    /// Takes the partition, but not yet its records: where to read on is known after the rows were restored, and
    /// [`Source::seek`] says so.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let (result, rebalance) = if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let result = consumer.assign(&TopicPartitionList::new());
            (result, (partitions.count() > 0).then_some(Rebalance::Assigned))
        } else {
            (consumer.unassign(), Some(Rebalance::Revoked))
        };
        if let Err(error) = result {
            warn!(%error, "the assignment failed; the group tries again");
        }
        self.rebalances().extend(rebalance);
        self.rebalanced.store(true, Ordering::Release);
    }
}
