//! The producer: publishes a batch and reports what Kafka accepted of it.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quipu_config::{Config, ProcessingGuarantee};
use quipu_record::{Offset, Partition};
use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use quipu_kafka::{Bounded, CallError, Logged, client_config, set_default};

use crate::engine::{AggregateRecord, DeadLetter, RowUpdate};
use crate::error::Error;

const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take that was given [`TIMEOUT`], which librdkafka does not always keep.
const BOUND: Duration = Duration::from_secs(15);
/// How long `commit_transaction` may take: it waits [`TIMEOUT`] for deliveries, and then as long for the coordinator.
const COMMIT_BOUND: Duration = Duration::from_secs(25);
/// How long a call may take that waits for the client's own main thread only.
const LOCAL_BOUND: Duration = Duration::from_secs(5);
/// The brokers end a transaction that is open for longer.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a record waits for its delivery, so that every one of them was reported when it ends.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// A row is about as large as the report it came from, which is at most 1 MiB.
const MAX_MESSAGE_BYTES: &str = "4194304";

/// Publishes batches.
pub(crate) struct Publisher {
    /// Its thread receives the acknowledgements. Polling for less than a millisecond would spin, and `flush` sleeps for
    /// 100 ms at a time.
    producer: Bounded<ThreadedProducer<Deliveries>>,
}

impl Publisher {
    /// A producer; with exactly-once a transactional one.
    pub(crate) fn new(
        logged: Logged,
        config: &Config,
        partition: Partition,
        guarantee: ProcessingGuarantee,
    ) -> Result<Self, Error> {
        let mut client = client_config(config.client_properties());
        client.set("enable.idempotence", "true").set("acks", "all").set("message.max.bytes", MAX_MESSAGE_BYTES);
        set_default(&mut client, "compression.type", "lz4");
        // A commit sends all that it has at once; what does not fit the requests under way makes the next batch.
        set_default(&mut client, "linger.ms", "0");
        match guarantee {
            ProcessingGuarantee::ExactlyOnce => client
                .set("transactional.id", format!("{}-{partition}", config.application_id))
                // A hung transaction holds back every reader of committed records.
                .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string()),
            ProcessingGuarantee::AtLeastOnce => client.set("message.timeout.ms", "10000"),
        };
        let producer = client.create_with_context(Deliveries::new(logged)).map_err(Error::Client)?;
        Ok(Self { producer: Bounded::new(producer).map_err(Error::thread)? })
    }

    /// Connects to Kafka, so that the first commit need not wait for it.
    pub(crate) fn connect(&self, config: &Config) -> Result<(), CallError> {
        for topic in [&config.topics.aggregates, &config.topics.state] {
            let topic = topic.clone();
            self.producer.call("fetch_metadata", BOUND, move |producer| {
                producer.client().fetch_metadata(Some(&topic), TIMEOUT).map(drop)
            })?;
        }
        Ok(())
    }

    pub(crate) fn init_transactions(&self) -> Result<(), CallError> {
        self.producer.call("init_transactions", BOUND, |producer| producer.init_transactions(TIMEOUT))
    }

    pub(crate) fn begin_transaction(&self) -> Result<(), CallError> {
        self.producer.call("begin_transaction", LOCAL_BOUND, Producer::begin_transaction)
    }

    pub(crate) fn commit_transaction(&self) -> Result<(), CallError> {
        self.producer.call("commit_transaction", COMMIT_BOUND, |producer| producer.commit_transaction(TIMEOUT))
    }

    pub(crate) fn abort_transaction(&self) -> Result<(), CallError> {
        self.producer.call("abort_transaction", BOUND, |producer| producer.abort_transaction(TIMEOUT))
    }

    /// Sends `batch` to `topic`. [`Self::deliveries`] returns the records that Kafka rejects.
    pub(crate) fn send<R: Outgoing>(&self, topic: &str, batch: &[R]) {
        for record in batch {
            self.send_one(topic, record);
        }
    }

    /// What became of the records that were sent since this last returned it; `None` if some are not delivered after
    /// `patience`.
    pub(crate) fn deliveries(&self, patience: Duration) -> Option<Published> {
        let mut state = self.producer.context().wait(patience);
        // The client finishes with a record a moment after it reports the delivery. If a transaction ends within that
        // moment, rdkafka sleeps for 100 ms.
        let done = state.expected == 0 && self.producer.in_flight_count() == 0;
        done.then(|| std::mem::take(&mut state.published))
    }

    /// Sends `batch` and waits until every record is delivered or rejected.
    pub(crate) fn publish<R: Outgoing>(&self, topic: &str, batch: &[R]) -> Published {
        self.send(topic, batch);
        let mut state = self.producer.context().wait(DELIVERY_TIMEOUT);
        if state.expected == 0 { std::mem::take(&mut state.published) } else { Published::unknown(topic) }
    }

    fn send_one(&self, topic: &str, outgoing: &impl Outgoing) {
        let mut record = BaseRecord::to(topic);
        if let Some(key) = outgoing.key() {
            record = record.key(key);
        }
        if let Some(value) = outgoing.value() {
            record = record.payload(value);
        }
        let headers = outgoing.headers();
        if !headers.is_empty() {
            let insert = |headers: OwnedHeaders, (key, value): &(&str, String)| {
                headers.insert(Header { key, value: Some(value) })
            };
            record = record.headers(headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), insert));
        }
        let deliveries = self.producer.context();
        deliveries.expect_one();
        let deadline = Instant::now() + DELIVERY_TIMEOUT;
        while let Err((error, again)) = self.producer.send(record) {
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !is_full || Instant::now() > deadline {
                deliveries.reject(topic, error);
                return;
            }
            deliveries.wait_for_room();
            record = again;
        }
    }
}

/// A record to send.
pub(crate) trait Outgoing {
    fn key(&self) -> Option<&[u8]>;
    fn value(&self) -> Option<&[u8]>;
    fn headers(&self) -> &[(&'static str, String)] {
        &[]
    }
}

impl Outgoing for AggregateRecord {
    fn key(&self) -> Option<&[u8]> {
        Some(&self.key)
    }

    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }
}

impl Outgoing for RowUpdate {
    fn key(&self) -> Option<&[u8]> {
        Some(&self.key)
    }

    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }
}

impl Outgoing for DeadLetter {
    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }
}

/// What became of the records that were sent.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// The records that Kafka rejected: the topic, and why.
    pub(crate) rejected: Vec<(String, KafkaError)>,
    /// For each topic, the offset after the last delivered record.
    pub(crate) next_offsets: HashMap<String, Offset>,
}

impl Published {
    fn unknown(topic: &str) -> Self {
        let timed_out = KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut);
        Self { rejected: vec![(topic.to_owned(), timed_out)], ..Self::default() }
    }
}

/// Collects the acknowledgement of each record, on the producer's own thread.
struct Deliveries {
    logged: Logged,
    state: Mutex<State>,
    /// Notified when nothing more is expected.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many records are not acknowledged yet.
    expected: usize,
    published: Published,
}

impl Deliveries {
    fn new(logged: Logged) -> Self {
        Self { logged, state: Mutex::default(), changed: Condvar::default() }
    }

    fn expect_one(&self) {
        self.lock().expected += 1;
    }

    fn reject(&self, topic: &str, error: KafkaError) {
        self.note(|published| published.rejected.push((topic.to_owned(), error)));
    }

    /// One record less is expected.
    fn note(&self, note: impl FnOnce(&mut Published)) {
        let mut state = self.lock();
        note(&mut state.published);
        state.expected -= 1;
        if state.expected == 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until nothing more is expected, for no longer than `patience`.
    fn wait(&self, patience: Duration) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_timeout_while(self.lock(), patience, |state| state.expected > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until librdkafka's queue may have room again.
    fn wait_for_room(&self) {
        drop(self.changed.wait_timeout(self.lock(), Duration::from_millis(10)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logged.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logged.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                self.logged.works();
                self.note(|published| {
                    let next = Offset(message.offset()).next();
                    match published.next_offsets.get_mut(message.topic()) {
                        Some(offset) => *offset = next.max(*offset),
                        None => _ = published.next_offsets.insert(message.topic().to_owned(), next),
                    }
                });
            }
            Err((error, message)) => self.reject(message.topic(), error.clone()),
        }
    }
}
