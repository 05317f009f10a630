use std::collections::HashSet;
use std::sync::mpsc::{SendError, SyncSender};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Context, drain};
use super::stop::Stop;
use crate::batch::{Batch, RawRecord, Topic, TopicState};

/// The most records in a batch. A batch is also complete when there are no more records at the moment.
const BATCH_RECORDS: usize = 1_000;
/// The number of bytes at which a batch is complete.
const BATCH_BYTES: usize = 1 << 20;
/// How long the thread waits for a record before it checks whether it shall stop. Each wait ends with up to a millisecond
/// of spinning in the client, so a short time would use much CPU.
const PATIENCE: Duration = Duration::from_millis(200);
/// The source retries a topic that does not exist or can't be read after this time.
const RETRY: Duration = Duration::from_millis(500);
/// A request to a broker is retried after this time without an answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Reads one topic from its beginning, and then its new records.
pub(super) struct Reader {
    pub(super) topic: Topic,
    pub(super) name: String,
    pub(super) consumer: BaseConsumer<Context>,
    pub(super) batches: SyncSender<Batch>,
    pub(super) stop: Stop,
}

/// The receiver of the batches was dropped, so the threads of the source end.
pub(super) struct Gone;

impl From<SendError<Batch>> for Gone {
    fn from(_: SendError<Batch>) -> Self {
        Self
    }
}

impl Reader {
    /// Reads until the reader is stopped or the receiver of the batches is dropped.
    pub(super) fn run(&self) -> Result<(), Gone> {
        let mut sent = None;
        while !self.stop.is_set() {
            // Queued records will be read again, and queued errors will occur again.
            drain(&self.consumer);
            let state = match self.assign() {
                Ok(Some(state)) => {
                    self.send_state(&mut sent, state)?;
                    self.read(&mut sent)?
                }
                Ok(None) => TopicState::Missing,
                Err(error) if error.rdkafka_error_code().is_some_and(is_passing) => {
                    tracing::debug!(topic = self.name, %error, "the topic's metadata can't be read yet; retrying");
                    self.stop.wait(RETRY);
                    continue;
                }
                Err(error) => TopicState::Failed { reason: error.to_string() },
            };
            self.send_state(&mut sent, state)?;
            self.stop.wait(RETRY);
        }
        Ok(())
    }

    /// Assigns all partitions from their beginning. Returns `None` if the topic does not exist.
    fn assign(&self) -> KafkaResult<Option<TopicState>> {
        let metadata = self.consumer.fetch_metadata(Some(&self.name), TIMEOUT)?;
        let Some(topic) = metadata.topics().first() else {
            return Ok(None);
        };
        match topic.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => return Ok(None),
            Some(code) => return Err(KafkaError::MetadataFetch(code)),
        }
        let (mut start, mut end) = (0, 0);
        let mut partitions = TopicPartitionList::new();
        for partition in topic.partitions() {
            let (low, high) = self.consumer.fetch_watermarks(&self.name, partition.id(), TIMEOUT)?;
            start += low;
            end += high;
            partitions.add_partition_offset(&self.name, partition.id(), Offset::Beginning)?;
        }
        if partitions.count() == 0 {
            return Ok(None);
        }
        self.consumer.assign(&partitions)?;
        Ok(Some(TopicState::Reading { start, end }))
    }

    /// Reads until the topic is deleted or can't be read, or until the reader is stopped. Returns the topic's new state.
    fn read(&self, sent: &mut Option<TopicState>) -> Result<TopicState, Gone> {
        let partitions = self.consumer.assignment().map_or(1, |partitions| partitions.count());
        let mut at_end = HashSet::new();
        while !self.stop.is_set() {
            let (records, error) = self.batch();
            if !records.is_empty() {
                self.batches.send(Batch::Records { topic: self.topic, records })?;
            }
            match error {
                None => {}
                Some(KafkaError::PartitionEOF(partition)) => {
                    at_end.insert(partition);
                    if at_end.len() >= partitions {
                        self.send_state(sent, TopicState::CaughtUp)?;
                    }
                }
                Some(error) => match error.rdkafka_error_code() {
                    Some(
                        RDKafkaErrorCode::OffsetOutOfRange
                        | RDKafkaErrorCode::AutoOffsetReset
                        | RDKafkaErrorCode::UnknownTopicOrPartition
                        | RDKafkaErrorCode::UnknownTopic
                        | RDKafkaErrorCode::UnknownPartition,
                    ) => return Ok(TopicState::Recreated),
                    Some(code) if is_passing(code) => {
                        tracing::debug!(topic = self.name, %error, "reading failed; retrying");
                    }
                    _ => return Ok(TopicState::Failed { reason: error.to_string() }),
                },
            }
        }
        Ok(TopicState::CaughtUp)
    }

    /// Reads the available records up to the limits of a batch, or up to the first error.
    fn batch(&self) -> (Vec<RawRecord>, Option<KafkaError>) {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut wait = PATIENCE;
        while records.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            match self.consumer.poll(wait) {
                None => break,
                Some(Err(error)) => return (records, Some(error)),
                Some(Ok(message)) => {
                    let record = RawRecord::copy(&message);
                    bytes += record.bytes();
                    records.push(record);
                    wait = Duration::ZERO;
                }
            }
        }
        (records, None)
    }

    /// Sends a state if it differs from the one that was sent last.
    fn send_state(&self, sent: &mut Option<TopicState>, state: TopicState) -> Result<(), Gone> {
        if sent.as_ref() != Some(&state) {
            tracing::info!(topic = self.name, ?state, "the topic's state changed");
            *sent = Some(state.clone());
            self.batches.send(Batch::Topic { topic: self.topic, state })?;
        }
        Ok(())
    }
}

/// Returns whether an error is temporary, so that librdkafka retries.
pub(super) fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::Resolve
            | Code::NetworkException
            | Code::WaitingForCoordinator
    )
}
