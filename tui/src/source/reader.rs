use std::collections::HashSet;
use std::sync::mpsc::{SendError, SyncSender};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Context, drain};
use super::stop::Stop;
use crate::batch::{Batch, RawRecord, Topic, TopicState};

/// A batch ends with this many records, …
const BATCH_RECORDS: usize = 1_000;
/// … or this many bytes, or when there is nothing more at the moment.
const BATCH_BYTES: usize = 1 << 20;
/// How long a record is waited for before the thread looks whether it is still wanted. Each wait ends with up to a
/// millisecond of spinning in the client, so it should not be short.
const PATIENCE: Duration = Duration::from_millis(200);
/// A topic that does not exist or can't be read is asked for again after this time.
const RETRY: Duration = Duration::from_millis(500);
/// A broker that takes longer to answer is asked again.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Reads one topic from the beginning, and goes on reading it.
pub(super) struct Reader {
    pub(super) topic: Topic,
    pub(super) name: String,
    pub(super) consumer: BaseConsumer<Context>,
    pub(super) batches: SyncSender<Batch>,
    pub(super) stop: Stop,
}

/// Nobody takes the batches any more.
pub(super) struct Gone;

impl From<SendError<Batch>> for Gone {
    fn from(_: SendError<Batch>) -> Self {
        Self
    }
}

impl Reader {
    /// Reads until it is stopped or nobody takes the batches any more.
    pub(super) fn run(&self) -> Result<(), Gone> {
        let mut told = None;
        while !self.stop.is_set() {
            // Whatever waits there is read again, or says why it can't be.
            drain(&self.consumer);
            let state = match self.assign() {
                Ok(Some(state)) => {
                    self.tell(&mut told, state)?;
                    self.read(&mut told)?
                }
                Ok(None) => TopicState::Missing,
                Err(error) if error.rdkafka_error_code().is_some_and(is_passing) => {
                    tracing::debug!(topic = self.name, %error, "the topic can't be asked for yet");
                    self.stop.wait(RETRY);
                    continue;
                }
                Err(error) => TopicState::Failed { reason: error.to_string() },
            };
            self.tell(&mut told, state)?;
            self.stop.wait(RETRY);
        }
        Ok(())
    }

    /// Assigns all partitions from their beginning; none if the topic does not exist.
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

    /// Reads until the log is gone, or until it is stopped, and tells what the topic's state is then.
    fn read(&self, told: &mut Option<TopicState>) -> Result<TopicState, Gone> {
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
                        self.tell(told, TopicState::CaughtUp)?;
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
                    Some(code) if is_passing(code) => tracing::debug!(topic = self.name, %error, "reading is held up"),
                    _ => return Ok(TopicState::Failed { reason: error.to_string() }),
                },
            }
        }
        Ok(TopicState::CaughtUp)
    }

    /// What is there to read, up to a limit and up to the first thing that is not a record.
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

    /// Tells a state that was not told last.
    fn tell(&self, told: &mut Option<TopicState>, state: TopicState) -> Result<(), Gone> {
        if told.as_ref() != Some(&state) {
            tracing::info!(topic = self.name, ?state, "the topic's state changed");
            *told = Some(state.clone());
            self.batches.send(Batch::Topic { topic: self.topic, state })?;
        }
        Ok(())
    }
}

/// What heals by itself while librdkafka tries again.
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
