//! Reads what is needed to restore the rows, outside the group: where the logs end, and the changelog.

use std::thread;
use std::time::{Duration, Instant};

use quipu_config::Config;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use tracing::{info, warn};

use super::client::{Logged, client_config};
use crate::engine::{Failure, RowSink};
use crate::error::Error;
use crate::shared::Shared;

const PARTITION: i32 = 0;
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is logged how far a restoration is.
const PROGRESS: Duration = Duration::from_secs(5);

/// A consumer for one restoration.
pub(crate) struct Restorer {
    consumer: BaseConsumer<Logged>,
}

impl Restorer {
    pub(crate) fn new(config: &Config) -> KafkaResult<Self> {
        let consumer = client_config(config)
            // It is no member of the group, but without one librdkafka assigns nothing.
            .set("group.id", &config.application_id)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            // The end is known when the broker has nothing more to give, which it is not to wait for.
            .set("fetch.wait.max.ms", "10")
            .create_with_context(Logged)?;
        Ok(Self { consumer })
    }

    /// Asks Kafka where a topic's one partition begins and ends.
    pub(crate) fn watermarks(&self, topic: &str) -> KafkaResult<(i64, i64)> {
        self.consumer.fetch_watermarks(topic, PARTITION, TIMEOUT)
    }

    /// Gives the topic's records from `from` to `end`.
    pub(crate) fn read(
        &self,
        topic: &str,
        from: i64,
        end: i64,
        shared: &Shared,
        row: RowSink<'_, Error>,
    ) -> Result<(), Failure<Error>> {
        let again = |error: KafkaError| Failure::Again(error.to_string());
        // A client that does not know the topic's broker yet when it is to read begins a second later.
        self.consumer.fetch_metadata(Some(topic), TIMEOUT).map_err(again)?;
        let mut partition = TopicPartitionList::new();
        partition
            .add_partition_offset(topic, PARTITION, Offset::Offset(from))
            .and_then(|()| self.consumer.assign(&partition))
            .map_err(again)?;
        let (mut heard, mut told) = (Instant::now(), Instant::now());
        loop {
            if shared.stopping() {
                return Err(Failure::Lost("the process is to stop".to_owned()));
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    if told.elapsed() >= PROGRESS {
                        told = heard;
                        info!(offset = message.offset(), end, "restoring rows from the changelog");
                    }
                    if let Some(key) = message.key() {
                        row(key, message.payload()).map_err(Failure::Fatal)?;
                    }
                    if message.offset() + 1 >= end {
                        return Ok(());
                    }
                }
                // What stands before the end and was not given are marks of transactions.
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(error)) => warn!(%error, "can't read the changelog, and goes on trying"),
                None if heard.elapsed() > TIMEOUT => {
                    return Err(Failure::Again("the changelog can't be read".to_owned()));
                }
                None => {}
            }
        }
    }

    /// Closes it, which takes rdkafka 100 ms, on a thread of its own; if there is none to be had, here.
    pub(crate) fn close(self) {
        _ = thread::Builder::new().name("quipu-closing".to_owned()).spawn(|| drop(self));
    }
}
