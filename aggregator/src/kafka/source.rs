//! The consumer of the source topic: a member of the aggregator's group, which starts at the position of the changelog.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quipu_config::Config;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
use tracing::{info, warn};

use quipu_record::{Offset, Partition};

use quipu_kafka::{Bounded, CallError, Logged, client_config, set_default};

use crate::error::Error;

const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take that was given [`TIMEOUT`], or that waits for the client's own main thread only.
const BOUND: Duration = Duration::from_secs(15);
/// How long a process that ends waits for the group's offset, and then for the group to be left.
const CLOSE_BOUND: Duration = Duration::from_secs(5);
/// How often the group's offset is committed.
const OFFSET_INTERVAL: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(100);
/// How records are fetched ahead: few, so that they take little memory, but never so few that the task waits for them.
/// By default librdkafka fetches 100,000 and then nothing for a second, which the task does not need to read them.
///
/// A fetch that finds nothing waits at the broker. Only then does the client learn that it has read the log to its end, so
/// the wait is short.
const READING: [(&str, &str); 4] = [
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "50"),
];

/// Reads the source topic.
pub(crate) struct Source {
    consumer: Bounded<BaseConsumer<Context>>,
    topic: String,
    partition: Partition,
    offset_committed: Mutex<Option<Instant>>,
}

/// Whether this process has the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rebalance {
    Assigned,
    Revoked,
}

/// Why a batch ended early.
pub(crate) enum Interruption {
    /// Nothing yet.
    Nothing,
    /// The log was read to its end.
    End,
    /// The assignment changed.
    Rebalanced(Vec<Rebalance>),
    /// The position is beyond the log: the topic is another one than before.
    OutOfRange,
    /// The consumer failed for good.
    Fatal(KafkaError),
}

impl Source {
    pub(crate) fn new(config: &Config, partition: Partition) -> Result<Self, Error> {
        let topic = config.topics.metrics.clone();
        let mut client = client_config(config.client_properties());
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
            .create_with_context(Context::new())
            .map_err(Error::Client)?;
        let consumer = Bounded::new(consumer).map_err(Error::thread)?;
        let source = Self { consumer, topic, partition, offset_committed: Mutex::new(None) };
        let topic = source.topic.clone();
        source.call("subscribe", move |consumer| {
            // A client that has no connection yet when it is to look for the group's coordinator looks again a second
            // later.
            _ = consumer.fetch_metadata(Some(&topic), TIMEOUT);
            consumer.subscribe(&[&topic])
        })?;
        Ok(source)
    }

    /// The next records, at most `max`, and the event that ended the batch early. Waits for the first for at most
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
                Some(Ok(record)) => {
                    self.consumer.context().logged.works();
                    records.push(record);
                }
                Some(Err(error)) => return (records, Some(self.interruption(error))),
                None => return (records, Some(Interruption::Nothing)),
            }
        }
        (records, None)
    }

    fn interruption(&self, error: KafkaError) -> Interruption {
        match (&error, error.rdkafka_error_code()) {
            (KafkaError::PartitionEOF(_), _) => {
                self.consumer.context().logged.works();
                Interruption::End
            }
            (KafkaError::MessageConsumptionFatal(_), _) => Interruption::Fatal(error),
            (_, Some(RDKafkaErrorCode::AutoOffsetReset)) => Interruption::OutOfRange,
            // The context has logged the error; the client retries.
            _ => Interruption::Nothing,
        }
    }

    /// Asks Kafka for the group's offset.
    pub(crate) fn group_offset(&self) -> Result<Option<Offset>, CallError> {
        let mut partition = TopicPartitionList::new();
        partition.add_partition(&self.topic, self.partition.0);
        let committed =
            self.call("committed_offsets", move |consumer| consumer.committed_offsets(partition, TIMEOUT))?;
        Ok(match committed.find_partition(&self.topic, self.partition.0).map(|partition| partition.offset()) {
            Some(rdkafka::Offset::Offset(offset)) => Some(Offset(offset)),
            _ => None,
        })
    }

    /// The offset behind everything that was read, when the log was read to its end: behind the last record there may be
    /// the marks of transactions.
    pub(crate) fn position(&self) -> Result<Option<Offset>, CallError> {
        let positions = self.call("position", Consumer::position)?;
        Ok(match positions.find_partition(&self.topic, self.partition.0).map(|partition| partition.offset()) {
            Some(rdkafka::Offset::Offset(offset)) => Some(Offset(offset)),
            _ => None,
        })
    }

    /// Reads on from `position`.
    pub(crate) fn seek(&self, position: Offset) -> Result<(), CallError> {
        let partition = self.at(position)?;
        self.call("assign", move |consumer| consumer.assign(&partition))
    }

    /// Leaves the group and joins it again.
    pub(crate) fn rejoin(&self) -> Result<(), CallError> {
        let topic = self.topic.clone();
        self.call("unsubscribe", |consumer| {
            consumer.unsubscribe();
            Ok(())
        })?;
        self.call("subscribe", move |consumer| consumer.subscribe(&[&topic]))
    }

    /// The client's state, for the log.
    pub(crate) fn state(&self) -> String {
        match (self.consumer.check(), self.consumer.client().fatal_error()) {
            (Err(stuck), _) => stuck.to_string(),
            (Ok(()), Some((code, reason))) => format!("the consumer failed for good: {code}: {reason}"),
            (Ok(()), None) => "the consumer answers".to_owned(),
        }
    }

    /// Leaves the group, for a process that ends while its task is stuck: the group then need not wait for the session
    /// timeout. Nothing may poll the consumer any more.
    pub(crate) fn leave(&self) {
        let left = self.consumer.call("unsubscribe", CLOSE_BOUND, |consumer| {
            consumer.unsubscribe();
            // The client leaves after it was polled, which takes the partition away.
            while !consumer.context().take_rebalances().is_some_and(|events| events.contains(&Rebalance::Revoked)) {
                _ = consumer.poll(POLL);
            }
            // The request to leave is on its way now.
            _ = consumer.poll(POLL);
            Ok(())
        });
        if let Err(error) = left {
            warn!(%error, "can't leave the group; a standby takes over after the session timeout");
        }
    }

    /// Commits the group's offset without waiting, once a second at most. Tools that show the group's lag read it;
    /// nothing else depends on it.
    pub(crate) fn show_offset(&self, position: Offset) {
        let mut committed = self.offset_committed.lock().unwrap_or_else(PoisonError::into_inner);
        if committed.is_none_or(|at| at.elapsed() >= OFFSET_INTERVAL) {
            *committed = Some(Instant::now());
            let result = self.at(position).and_then(|partition| self.consumer.commit(&partition, CommitMode::Async));
            self.consumer.context().offset_committed(&result);
        }
    }

    /// Commits the group's offset and leaves the group; each with a bound.
    pub(crate) fn close(self, position: Option<Offset>) {
        if let Some(Ok(partition)) = position.map(|position| self.at(position)) {
            let result = self
                .consumer
                .call("commit", CLOSE_BOUND, move |consumer| consumer.commit(&partition, CommitMode::Sync));
            if let Err(error) = result {
                warn!(%error, "can't commit the group's offset; only tools that show its lag need it");
            }
        }
        if !self.consumer.close(CLOSE_BOUND) {
            warn!("the group does not let go of this process; a standby takes over after the session timeout");
        }
    }

    fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        call: impl FnOnce(&BaseConsumer<Context>) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, CallError> {
        self.consumer.call(name, BOUND, call)
    }

    fn at(&self, position: Offset) -> KafkaResult<TopicPartitionList> {
        let mut partition = TopicPartitionList::new();
        partition.add_partition_offset(&self.topic, self.partition.0, rdkafka::Offset::Offset(position.0))?;
        Ok(partition)
    }
}

struct Context {
    logged: Logged,
    rebalances: Mutex<Vec<Rebalance>>,
    /// Whether there are any: this is asked for every record.
    rebalanced: AtomicBool,
    /// Whether the last commit of the group's offset failed.
    offset_fails: AtomicBool,
}

impl Context {
    fn new() -> Self {
        let logged = Logged::new("source");
        Self {
            logged,
            rebalances: Mutex::default(),
            rebalanced: AtomicBool::default(),
            offset_fails: AtomicBool::default(),
        }
    }

    /// What happened to the assignment since the last call.
    fn take_rebalances(&self) -> Option<Vec<Rebalance>> {
        self.rebalanced.swap(false, Ordering::Acquire).then(|| std::mem::take(&mut *self.rebalances()))
    }

    /// Logs when commits of the group's offset begin to fail, and when they succeed again.
    fn offset_committed(&self, result: &KafkaResult<()>) {
        let fails = result.is_err();
        if self.offset_fails.swap(fails, Ordering::Relaxed) == fails {
            return;
        }
        match result {
            Ok(()) => info!("the group's offset is committed again"),
            Err(error) => warn!(%error, "can't commit the group's offset; only tools that show its lag need it"),
        }
    }

    fn rebalances(&self) -> MutexGuard<'_, Vec<Rebalance>> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logged.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logged.error(error, reason);
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.offset_committed(&result);
    }

    /// Takes the partition, but not yet its records: [`Source::seek`] sets the offset after the rows were restored.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let (result, rebalance) = if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let result = consumer.assign(&TopicPartitionList::new());
            (result, (partitions.count() > 0).then_some(Rebalance::Assigned))
        } else {
            (consumer.unassign(), Some(Rebalance::Revoked))
        };
        if let Err(error) = result {
            warn!(%error, "the assignment failed; the group retries");
        }
        self.rebalances().extend(rebalance);
        self.rebalanced.store(true, Ordering::Release);
    }
}
