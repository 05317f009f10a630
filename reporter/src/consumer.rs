//! A consumer of the crate `rdkafka` that reports which of its records were processed.

mod context;

use std::future::{Future as _, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, DefaultConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::util::{AsyncRuntime, DefaultRuntime, Timeout};

use crate::{Error, PartitionHandle, Processed};
pub use context::{ConsumerCallbacks, ReportingContext};

/// A [`ReportingConsumer`] that is polled.
pub type ReportingBaseConsumer<X = DefaultConsumerContext> = ReportingConsumer<BaseConsumer<ReportingContext<X>>, X>;

/// A [`ReportingConsumer`] for async programs.
pub type ReportingStreamConsumer<X = DefaultConsumerContext, R = DefaultRuntime> =
    ReportingConsumer<StreamConsumer<ReportingContext<X>, R>, X>;

/// Owns a consumer and reports its assignments, deliveries and commits. What remains for the program is to call
/// [`record`](Self::record) when the work on a record is done.
///
/// Call the methods of this type instead of those of the consumer of the same name; the others are reached with
/// [`inner`](Self::inner). `X` is the program's own context.
///
/// ```no_run
/// use std::time::Duration;
///
/// use quipu_reporter::KafkaReporter;
/// use quipu_reporter::consumer::ReportingBaseConsumer;
/// use rdkafka::ClientConfig;
/// use rdkafka::consumer::DefaultConsumerContext;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reporter = KafkaReporter::builder("localhost:9092").install()?;
/// let mut config = ClientConfig::new();
/// config.set("bootstrap.servers", "localhost:9092").set("group.id", "shop").set("enable.auto.commit", "false");
/// let consumer = ReportingBaseConsumer::new(&config, reporter.processed("orders"), DefaultConsumerContext)?;
/// consumer.subscribe(&["orders"])?;
/// while let Some(message) = consumer.poll(Duration::from_secs(1)) {
///     let message = message?;
///     // the work on the record
///     consumer.record(&message);
///     consumer.commit(Duration::from_secs(5))?; // for each record only in this example
/// }
/// # Ok(())
/// # }
/// ```
///
/// When the group assigns partitions, their committed offsets are fetched within the poll, for at most 5 s.
pub struct ReportingConsumer<C, X = DefaultConsumerContext> {
    consumer: Arc<C>,
    processed: Processed,
    /// The partition of the last delivery. Its lock keeps the deliveries in order if several threads poll.
    last: Mutex<Option<Last>>,
    /// Whether the thread of an earlier commit has not returned.
    is_committing: Arc<AtomicBool>,
    callbacks: PhantomData<fn() -> X>,
}

struct Last {
    topic: String,
    partition: i32,
    handle: PartitionHandle,
}

impl<C, X> ReportingConsumer<C, X>
where
    C: Consumer<ReportingContext<X>> + FromClientConfigAndContext<ReportingContext<X>> + Send + Sync + 'static,
    X: ConsumerCallbacks,
{
    /// Creates the consumer with this configuration. The property `group.id` becomes the group of `processed`.
    pub fn new(config: &ClientConfig, processed: Processed, callbacks: X) -> KafkaResult<Self> {
        let processed = processed.with_group(config.get("group.id").unwrap_or_default());
        let mut config = config.clone();
        // The context learns from a warning that the position was deleted from the log.
        if (config.log_level as i32) < RDKafkaLogLevel::Warning as i32 {
            config.set_log_level(RDKafkaLogLevel::Warning);
        }
        let context = ReportingContext::new(callbacks, processed.clone());
        Ok(Self {
            consumer: Arc::new(config.create_with_context(context)?),
            processed,
            last: Mutex::default(),
            is_committing: Arc::default(),
            callbacks: PhantomData,
        })
    }

    /// The consumer. Its own methods to poll, assign, seek and commit report nothing: use those of this type.
    #[must_use]
    pub fn inner(&self) -> &C {
        &self.consumer
    }

    /// Where the partitions of this consumer are reported.
    #[must_use]
    pub fn processed(&self) -> &Processed {
        &self.processed
    }

    /// The work on this record is done.
    pub fn record(&self, message: &impl Message) {
        self.processed.record(message.topic(), message.partition(), message.offset());
    }

    /// See [`Consumer::subscribe`].
    pub fn subscribe(&self, topics: &[&str]) -> KafkaResult<()> {
        self.consumer.subscribe(topics)
    }

    /// See [`Consumer::assign`]. Where no offset is given, the committed offsets are fetched, for at most 5 s.
    pub fn assign(&self, assignment: &TopicPartitionList) -> KafkaResult<()> {
        let begins = context::begins(&*self.consumer, assignment);
        let before = self.consumer.assignment()?;
        self.consumer.assign(assignment)?;
        for partition in before.elements() {
            if assignment.find_partition(partition.topic(), partition.partition()).is_none() {
                self.processed.revoked(partition.topic(), partition.partition());
            }
        }
        self.begin(&begins);
        Ok(())
    }

    /// See [`Consumer::unassign`].
    pub fn unassign(&self) -> KafkaResult<()> {
        let before = self.consumer.assignment()?;
        self.consumer.unassign()?;
        self.end(&before);
        Ok(())
    }

    /// See [`Consumer::incremental_assign`], and [`assign`](Self::assign).
    pub fn incremental_assign(&self, assignment: &TopicPartitionList) -> KafkaResult<()> {
        let begins = context::begins(&*self.consumer, assignment);
        self.consumer.incremental_assign(assignment)?;
        self.begin(&begins);
        Ok(())
    }

    /// See [`Consumer::incremental_unassign`].
    pub fn incremental_unassign(&self, assignment: &TopicPartitionList) -> KafkaResult<()> {
        self.consumer.incremental_unassign(assignment)?;
        self.end(assignment);
        Ok(())
    }

    /// See [`Consumer::seek`].
    pub fn seek(&self, topic: &str, partition: i32, offset: Offset, timeout: impl Into<Timeout>) -> KafkaResult<()> {
        #[expect(clippy::disallowed_methods, reason = "the caller of this method decides when it seeks")]
        self.consumer.seek(topic, partition, offset, timeout)?;
        self.processed.assigned(topic, partition, context::number(offset));
        Ok(())
    }

    /// See [`Consumer::pause`].
    pub fn pause(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.consumer.pause(partitions)
    }

    /// See [`Consumer::resume`].
    pub fn resume(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.consumer.resume(partitions)
    }

    /// Publishes the report and then commits the consumer's state, as [`Consumer::commit_consumer_state`] does: the
    /// position, or what was stored. Each of the two takes at most this time. It does not wait for a report that has the
    /// committed offsets.
    ///
    /// If Kafka does not acknowledge the report in time, the offsets are committed all the same, and this run's
    /// numbers are marked as inexact. Not for the threads of an async runtime, because it waits.
    ///
    /// # Errors
    /// [`Error::Commit`]: Kafka did not accept the commit. [`Error::CommitTimeout`]: it did not answer in time, and may
    /// still commit.
    pub fn commit(&self, timeout: Duration) -> Result<(), Error> {
        if let Err(error) = self.processed.flush(timeout) {
            tracing::warn!(%error, "offsets are committed although the report before was not acknowledged");
            for partition in self.consumer.assignment().map_err(Error::Commit)?.elements() {
                self.processed.partition(partition.topic(), partition.partition()).commit_unpublished();
            }
        }
        if self.is_committing.swap(true, Ordering::AcqRel) {
            return Err(Error::CommitTimeout { waited: Duration::ZERO });
        }
        let (consumer, is_committing) = (Arc::clone(&self.consumer), Arc::clone(&self.is_committing));
        let processed = self.processed.clone();
        let (sender, result) = mpsc::sync_channel(1);
        // librdkafka has no bound for a commit.
        let commit = move || {
            let result = consumer.commit_consumer_state(CommitMode::Sync);
            // It does not return the offsets that it committed.
            if result.is_ok()
                && let Ok(committed) = consumer.committed(timeout)
            {
                context::committed(&processed, &committed);
            }
            is_committing.store(false, Ordering::Release);
            // The receiver is gone if the caller no longer waits.
            drop(sender.send(result));
        };
        if let Err(error) = thread::Builder::new().name("quipu-commit".to_owned()).spawn(commit) {
            self.is_committing.store(false, Ordering::Release);
            return Err(Error::Thread(error));
        }
        match result.recv_timeout(timeout) {
            // There is nothing new to commit.
            Ok(Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset))) => Ok(()),
            Ok(Err(error)) => Err(Error::Commit(error)),
            Err(_) => Err(Error::CommitTimeout { waited: timeout }),
        }
    }

    fn begin(&self, begins: &TopicPartitionList) {
        for partition in begins.elements() {
            let begin = context::number(partition.offset());
            self.processed.assigned(partition.topic(), partition.partition(), begin);
        }
    }

    fn end(&self, partitions: &TopicPartitionList) {
        for partition in partitions.elements() {
            self.processed.revoked(partition.topic(), partition.partition());
        }
    }

    fn delivered(&self, last: &mut Option<Last>, message: &BorrowedMessage<'_>) {
        let (topic, partition) = (message.topic(), message.partition());
        let known = last.take().filter(|last| last.partition == partition && last.topic == topic);
        let known = known.unwrap_or_else(|| Last {
            topic: topic.to_owned(),
            partition,
            handle: self.processed.partition(topic, partition),
        });
        known.handle.delivered(message.offset());
        *last = Some(known);
    }
}

impl<X: ConsumerCallbacks> ReportingBaseConsumer<X> {
    /// See [`BaseConsumer::poll`]. While a thread polls, others that poll wait for it.
    pub fn poll(&self, timeout: impl Into<Timeout>) -> Option<KafkaResult<BorrowedMessage<'_>>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = self.consumer.poll(timeout);
        if let Some(Ok(message)) = &polled {
            self.delivered(&mut last, message);
        }
        polled
    }
}

impl<X: ConsumerCallbacks, R: AsyncRuntime> ReportingStreamConsumer<X, R> {
    /// See [`StreamConsumer::recv`].
    pub async fn recv(&self) -> KafkaResult<BorrowedMessage<'_>> {
        let mut received = pin!(self.consumer.recv());
        poll_fn(|context| {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let polled = received.as_mut().poll(context);
            if let Poll::Ready(Ok(message)) = &polled {
                self.delivered(&mut last, message);
            }
            polled
        })
        .await
    }
}

impl<C, X> std::fmt::Debug for ReportingConsumer<C, X> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReportingConsumer").field("processed", &self.processed).finish_non_exhaustive()
    }
}
