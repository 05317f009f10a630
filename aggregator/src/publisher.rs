//! The producer: publishes a batch and knows what of it Kafka accepted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{Message as _, TopicPartitionList};

use crate::client::{client_config, log, report, set_default};
use crate::config::{Config, ProcessingGuarantee};
use crate::engine::Output;

const TIMEOUT: Duration = Duration::from_secs(10);
/// The brokers end a transaction that is open for longer.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// A row is about as large as the report it came from, which is at most 1 MiB.
const MAX_MESSAGE_BYTES: &str = "4194304";

/// Publishes batches.
pub(crate) struct Publisher {
    producer: BaseProducer<Deliveries>,
}

impl Publisher {
    /// A producer; with exactly-once a transactional one.
    pub(crate) fn new(config: &Config, guarantee: ProcessingGuarantee) -> KafkaResult<Self> {
        let mut client = client_config(config);
        client.set("enable.idempotence", "true").set("acks", "all").set("message.max.bytes", MAX_MESSAGE_BYTES);
        set_default(&mut client, "compression.type", "lz4");
        // A commit sends all that it has at once; what does not fit the requests under way makes the next batch.
        set_default(&mut client, "linger.ms", "0");
        match guarantee {
            ProcessingGuarantee::ExactlyOnce => client
                .set("transactional.id", format!("{}-0", config.application_id))
                // A hung transaction holds back every reader of committed records.
                .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string()),
            ProcessingGuarantee::AtLeastOnce => client.set("message.timeout.ms", "10000"),
        };
        Ok(Self { producer: client.create_with_context(Deliveries::default())? })
    }

    /// Connects to Kafka, so that the first commit need not wait for it.
    pub(crate) fn connect(&self, config: &Config) -> KafkaResult<()> {
        for topic in [&config.topics.aggregates, &config.topics.state] {
            self.producer.client().fetch_metadata(Some(topic), TIMEOUT)?;
        }
        Ok(())
    }

    pub(crate) fn init_transactions(&self) -> KafkaResult<()> {
        self.producer.init_transactions(TIMEOUT)
    }

    pub(crate) fn begin_transaction(&self) -> KafkaResult<()> {
        self.producer.begin_transaction()
    }

    pub(crate) fn send_offsets(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> KafkaResult<()> {
        self.producer.send_offsets_to_transaction(offsets, group, TIMEOUT)
    }

    pub(crate) fn commit_transaction(&self) -> KafkaResult<()> {
        self.producer.commit_transaction(TIMEOUT)
    }

    pub(crate) fn abort_transaction(&self) -> KafkaResult<()> {
        self.producer.abort_transaction(TIMEOUT)
    }

    /// Publishes `batch` to `topic`, waits for Kafka's word on every record, and gives what was not accepted.
    ///
    /// The wait ends by itself: a record that can't be delivered within 10 s is rejected.
    pub(crate) fn publish(&self, topic: &str, batch: &[Output]) -> Published {
        for output in batch {
            self.send(topic, output);
        }
        // Longer than a record waits for its delivery, so that every one of them was reported when it ends.
        let deadline = Instant::now() + Duration::from_secs(30);
        // Not `flush`, which sleeps for 100 ms at a time, and consumption with it.
        while self.producer.in_flight_count() > 0 {
            if Instant::now() > deadline {
                self.producer.context().reject(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut));
                break;
            }
            self.producer.poll(Duration::from_millis(1));
        }
        self.producer.context().take()
    }

    fn send(&self, topic: &str, output: &Output) {
        let mut record = BaseRecord::to(topic);
        if let Some(key) = &output.key {
            record = record.key(key.as_slice());
        }
        if let Some(value) = &output.value {
            record = record.payload(value.as_slice());
        }
        if !output.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(output.headers.len());
            let insert = |headers: OwnedHeaders, (key, value): &(&str, String)| {
                headers.insert(Header { key, value: Some(value) })
            };
            record = record.headers(output.headers.iter().fold(headers, insert));
        }
        while let Err((error, again)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                self.producer.context().reject(error);
                return;
            }
            self.producer.poll(Duration::from_millis(100));
            record = again;
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Why records were not accepted: one for each of them.
    pub(crate) rejected: Vec<KafkaError>,
    /// The offset behind the last record that was accepted.
    pub(crate) next_offset: Option<i64>,
}

/// Collects Kafka's word on each record.
#[derive(Default)]
struct Deliveries {
    published: Mutex<Published>,
}

impl Deliveries {
    fn reject(&self, error: KafkaError) {
        self.lock().rejected.push(error);
    }

    fn take(&self) -> Published {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                let mut published = self.lock();
                published.next_offset = published.next_offset.max(Some(message.offset() + 1));
            }
            Err((error, _)) => self.reject(error.clone()),
        }
    }
}
