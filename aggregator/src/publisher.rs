//! The producer: publishes a batch and knows what of it Kafka accepted.

use std::sync::Mutex;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use tracing::warn;

use crate::client::{client_config, log, report};
use crate::config::Config;

/// A record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// Publishes batches.
pub(crate) struct Publisher {
    config: Config,
    producer: BaseProducer<Deliveries>,
}

/// What of a batch was not accepted.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// Its place in the batch.
    pub(crate) index: usize,
    /// Why.
    pub(crate) error: KafkaError,
}

impl Publisher {
    pub(crate) fn new(config: &Config) -> KafkaResult<Self> {
        Ok(Self { config: config.clone(), producer: producer(config)? })
    }

    /// Publishes `batch` to `topic`, waits for Kafka's word on every record, and gives those that were not accepted.
    ///
    /// The wait ends by itself: a record that can't be delivered within 30 s is rejected.
    pub(crate) fn publish(&mut self, topic: &str, batch: &[&Output]) -> Vec<Rejected> {
        if let Some((error, reason)) = self.producer.client().fatal_error() {
            warn!(%error, reason, "the producer failed and is made anew");
            match producer(&self.config) {
                Ok(producer) => self.producer = producer,
                Err(error) => warn!(%error, "can't make a producer"),
            }
        }
        for (index, output) in batch.iter().enumerate() {
            self.send(topic, index, output);
        }
        // Longer than a record waits for its delivery, so that every one of them was reported when it ends.
        if let Err(error) = self.producer.flush(Duration::from_secs(60)) {
            warn!(%error, "kafka did not answer in time");
        }
        self.producer.context().take()
    }

    fn send(&self, topic: &str, index: usize, output: &Output) {
        let mut record = BaseRecord::with_opaque_to(topic, index);
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
                self.producer.context().reject(index, error);
                return;
            }
            self.producer.poll(Duration::from_millis(100));
            record = again;
        }
    }
}

/// Whether trying again may help.
pub(crate) fn may_heal(error: &KafkaError) -> bool {
    !matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
                | RDKafkaErrorCode::PolicyViolation
                | RDKafkaErrorCode::InvalidRecord
        )
    )
}

fn producer(config: &Config) -> KafkaResult<BaseProducer<Deliveries>> {
    client_config(config)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", "2")
        .set("message.timeout.ms", "30000")
        .create_with_context(Deliveries::default())
}

/// Collects what Kafka did not accept.
#[derive(Default)]
struct Deliveries {
    rejected: Mutex<Vec<Rejected>>,
}

impl Deliveries {
    fn reject(&self, index: usize, error: KafkaError) {
        self.lock().push(Rejected { index, error });
    }

    fn take(&self) -> Vec<Rejected> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Rejected>> {
        self.rejected.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        if let Err((error, _)) = result {
            self.reject(index, error.clone());
        }
    }
}
