//! Reads what is needed to restore the rows, outside the group: where the logs end, and the changelog.

use std::time::{Duration, Instant};

use quipu_config::Config;
use quipu_record::{Offset, Partition};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, TopicPartitionList};
use tracing::info;

use quipu_kafka::{Bounded, CallError, Logged, client_config};

use crate::engine::{Failure, RowSink, Step};
use crate::error::Error;
use crate::health::Progress;
use crate::shared::Shared;

const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take that was given [`TIMEOUT`].
const BOUND: Duration = Duration::from_secs(15);
/// How often it is logged how far a restoration is.
const PROGRESS: Duration = Duration::from_secs(5);

/// A consumer for one restoration.
pub(crate) struct Restorer {
    consumer: Bounded<BaseConsumer<Logged>>,
    partition: Partition,
    progress: Progress,
}

impl Restorer {
    pub(crate) fn new(
        logged: Logged,
        config: &Config,
        partition: Partition,
        progress: Progress,
    ) -> Result<Self, Error> {
        let consumer = client_config(config.client_properties())
            // It does not join the group, but librdkafka assigns nothing without a group ID.
            .set("group.id", &config.application_id)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            // The client learns of the end when a fetch returns nothing, so a fetch should not wait.
            .set("fetch.wait.max.ms", "10")
            .create_with_context(logged)
            .map_err(Error::Client)?;
        Ok(Self { consumer: Bounded::new(consumer).map_err(Error::thread)?, partition, progress })
    }

    /// Asks Kafka where the partition of a topic begins and ends.
    pub(crate) fn watermarks(&self, topic: &str) -> Result<(Offset, Offset), CallError> {
        let (topic, partition) = (topic.to_owned(), self.partition.0);
        let (begin, end) = self
            .consumer
            .call("fetch_watermarks", BOUND, move |consumer| consumer.fetch_watermarks(&topic, partition, TIMEOUT))?;
        Ok((Offset(begin), Offset(end)))
    }

    /// Gives the topic's records from `from` to `end`.
    pub(crate) fn read(
        &self,
        topic: &str,
        from: Offset,
        end: Offset,
        shared: &Shared,
        row: RowSink<'_, Error>,
    ) -> Step<(), Error> {
        let (named, number) = (topic.to_owned(), self.partition.0);
        let assigned = self.consumer.call("assign", BOUND, move |consumer| {
            // A client that does not know the topic's broker yet when it is to read begins a second later.
            consumer.fetch_metadata(Some(&named), TIMEOUT)?;
            let mut partition = TopicPartitionList::new();
            partition.add_partition_offset(&named, number, rdkafka::Offset::Offset(from.0))?;
            consumer.assign(&partition)
        });
        assigned.map_err(|error| Failure::Again(error.into()))?;
        let (mut received, mut logged) = (Instant::now(), Instant::now());
        loop {
            if shared.stopping() {
                return Err(Failure::Lost("the process is stopping".into()));
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    received = Instant::now();
                    self.consumer.context().works();
                    self.progress.step("reading the changelog");
                    if logged.elapsed() >= PROGRESS {
                        logged = received;
                        info!(offset = message.offset(), %end, "restoring rows from the changelog");
                    }
                    if let Some(key) = message.key() {
                        row(key, message.payload()).map_err(Failure::Fatal)?;
                    }
                    if Offset(message.offset()).next() >= end {
                        return Ok(());
                    }
                }
                // Only markers of transactions, which are not returned, are left before the end.
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(_)) | None if received.elapsed() > TIMEOUT => {
                    return Err(Failure::Again("the changelog can't be read".into()));
                }
                // The context has logged the error; the client retries.
                Some(Err(_)) | None => {}
            }
        }
    }
}
