//! Reads topics without joining a group and without committing offsets.

use std::time::{Duration, Instant};

use quipu_config::Config;
use quipu_kafka::{Bounded, CallError, Logged, client_config};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use crate::error::Error;

pub(crate) const PARTITION: i32 = 0;
const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum duration of a call whose own timeout is [`TIMEOUT`].
const BOUND: Duration = Duration::from_secs(15);
/// How long a read may wait for a record. Longer than a transaction of the aggregator may stay open (10 s).
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// How far a topic has been read.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The next offset to read.
    pub position: i64,
    /// The offset to read to.
    pub end: i64,
}

/// The first offset of a log, and the end of its committed part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) begin: i64,
    pub(crate) end: i64,
}

/// The clients that read topics.
pub(crate) struct Kafka<'c> {
    config: &'c Config,
    /// The log of all readers.
    logged: Logged,
    committed: Reader,
    uncommitted: Reader,
}

pub(crate) type Reader = Bounded<BaseConsumer<Logged>>;

impl<'c> Kafka<'c> {
    pub(crate) fn new(config: &'c Config) -> Result<Self, Error> {
        let logged = Logged::new("reader");
        let committed = reader(config, &logged, "read_committed")?;
        let uncommitted = reader(config, &logged, "read_uncommitted")?;
        Ok(Self { config, logged, committed, uncommitted })
    }

    /// A reader of a topic's only partition, starting at `from`.
    pub(crate) fn reader(&self, topic: &str, from: Offset) -> Result<Reader, Error> {
        let reader = reader(self.config, &self.logged, "read_committed")?;
        let name = topic.to_owned();
        let assigned = reader.call("assign", BOUND, move |reader| {
            let mut partition = TopicPartitionList::new();
            partition.add_partition_offset(&name, PARTITION, from)?;
            reader.assign(&partition)
        });
        assigned.map_err(|source| Error::Read { topic: topic.to_owned(), source })?;
        Ok(reader)
    }

    /// Whether the topic exists; it must have one partition.
    pub(crate) fn has(&self, topic: &str) -> Result<bool, Error> {
        let name = topic.to_owned();
        let partitions = self.committed.call("fetch_metadata", BOUND, move |reader| {
            let metadata = reader.fetch_metadata(Some(&name), TIMEOUT)?;
            let found = metadata.topics().iter().find(|found| found.name() == name && found.error().is_none());
            Ok(found.map_or(0, |found| found.partitions().len()))
        });
        match partitions.map_err(|source| self.unreachable(source))? {
            0 => Ok(false),
            1 => Ok(true),
            partitions => Err(Error::Partitions { topic: topic.to_owned(), partitions }),
        }
    }

    /// Where the topic begins, and where its committed part ends.
    pub(crate) fn ends(&self, topic: &str) -> Result<Ends, Error> {
        self.watermarks(&self.committed, topic)
    }

    /// Waits until all transactions that have records on the topic now have ended, then returns the topic's ends.
    pub(crate) fn settled(&self, topic: &str) -> Result<Ends, Error> {
        let now = self.watermarks(&self.uncommitted, topic)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ends = self.watermarks(&self.committed, topic)?;
            if ends.end >= now.end {
                return Ok(ends);
            }
            if Instant::now() > deadline {
                return Err(Error::OpenTransaction(topic.to_owned()));
            }
            std::thread::park_timeout(POLL);
        }
    }

    /// Reads the records of a topic within `ends`.
    pub(crate) fn read(
        &self,
        topic: &str,
        ends: Ends,
        progress: &mut dyn FnMut(Progress<'_>),
        sink: impl FnMut(&BorrowedMessage<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if ends.begin >= ends.end {
            return Ok(());
        }
        // A reader that was used before could still have an end-of-partition event of that read in its queue.
        let reader = self.reader(topic, Offset::Offset(ends.begin))?;
        read_to(&reader, topic, ends, progress, sink)
    }

    fn watermarks(&self, reader: &Reader, topic: &str) -> Result<Ends, Error> {
        let topic = topic.to_owned();
        let watermarks =
            reader.call("fetch_watermarks", BOUND, move |reader| reader.fetch_watermarks(&topic, PARTITION, TIMEOUT));
        match watermarks {
            Ok((begin, end)) => Ok(Ends { begin, end }),
            Err(source) => Err(self.unreachable(source)),
        }
    }

    fn unreachable(&self, source: CallError) -> Error {
        Error::Unreachable { brokers: self.config.kafka.brokers.clone(), source }
    }
}

fn read_to(
    reader: &Reader,
    topic: &str,
    ends: Ends,
    progress: &mut dyn FnMut(Progress<'_>),
    mut sink: impl FnMut(&BorrowedMessage<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let Ends { begin: mut position, end } = ends;
    let mut last_record = Instant::now();
    while position < end {
        match reader.poll(POLL) {
            Some(Ok(message)) => {
                last_record = Instant::now();
                reader.context().works();
                position = message.offset() + 1;
                if message.offset() < end {
                    sink(&message)?;
                }
                progress(Progress { topic, position, end });
            }
            // The offsets up to the end that were not delivered are transaction markers.
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(source)) => match source.rdkafka_error_code() {
                Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                    return Err(Error::Expired(topic.to_owned()));
                }
                Some(
                    RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownPartition,
                ) => return Err(Error::Read { topic: topic.to_owned(), source: source.into() }),
                // The context has logged the error; the client retries.
                _ => {}
            },
            None if last_record.elapsed() > PATIENCE => {
                let (topic, seconds) = (topic.to_owned(), PATIENCE.as_secs());
                return Err(Error::Stalled { topic, position, end, seconds });
            }
            None => {}
        }
    }
    Ok(())
}

fn reader(config: &Config, logged: &Logged, isolation_level: &str) -> Result<Reader, Error> {
    let reader = client_config(config.client_properties())
        // No group is joined, but librdkafka requires a group id.
        .set("group.id", &config.application_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("isolation.level", isolation_level)
        .create_with_context(logged.clone())
        .map_err(Error::Client)?;
    Bounded::new(reader).map_err(Error::Thread)
}
