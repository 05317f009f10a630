//! The part of a Kafka cluster that belongs to one test, used through librdkafka.

use std::collections::{BTreeMap, BTreeSet};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use crate::waiting::{DEADLINE, eventually};

/// The cluster's address, and a prefix that only this test's topics have.
pub struct Cluster {
    bootstrap: String,
    prefix: String,
    producer: OnceLock<BaseProducer<Failures>>,
}

impl Cluster {
    pub fn new(bootstrap: &str) -> Self {
        static TESTS: AtomicU32 = AtomicU32::new(0);
        let test = TESTS.fetch_add(1, Ordering::Relaxed);
        Self {
            bootstrap: bootstrap.to_owned(),
            prefix: format!("e2e-{}-{test}-", process::id()),
            producer: OnceLock::new(),
        }
    }

    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// This name with the test's prefix.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Creates a topic with settings such as `("cleanup.policy", "compact")`; returns its name with the prefix.
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
        let topic = self.name(name);
        let mut new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        block_on(self.admin().create_topics([&new], &admin_options())).unwrap().remove(0).unwrap();
        topic
    }

    /// Deletes a topic by its full name, and waits until the metadata no longer lists it.
    pub fn delete_topic(&self, topic: &str) {
        block_on(self.admin().delete_topics(&[topic], &admin_options())).unwrap().remove(0).unwrap();
        eventually("the topic to be gone", || (!self.topics().contains_key(topic)).then_some(()));
    }

    /// Deletes the records of a topic's first partition that lie before an offset.
    pub fn delete_records(&self, topic: &str, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, 0, Offset::Offset(before)).unwrap();
        block_on(self.admin().delete_records(&offsets, &admin_options())).unwrap().elements()[0].error().unwrap();
    }

    /// All topics with their numbers of partitions.
    pub fn topics(&self) -> BTreeMap<String, usize> {
        let metadata = self.admin().inner().fetch_metadata(None, DEADLINE).unwrap();
        metadata.topics().iter().map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect()
    }

    /// A topic's settings, including the broker's defaults.
    pub fn settings(&self, topic: &str) -> BTreeMap<String, String> {
        let asked = [ResourceSpecifier::Topic(topic)];
        let described = block_on(self.admin().describe_configs(&asked, &admin_options())).unwrap().remove(0).unwrap();
        described.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()
    }

    /// A producer with these properties, for tests that need more than [`produce`](Self::produce). It accepts records
    /// of any size, so that the broker is the one that rejects them.
    pub fn producer(&self, properties: &[(&str, &str)]) -> BaseProducer<Failures> {
        let mut config = self.config();
        config.set("message.max.bytes", "100000000");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        config.create_with_context(Failures::default()).unwrap()
    }

    /// Writes records of key and value in this order; `None` is written as null. All are acknowledged on return.
    pub fn produce<K, V>(&self, topic: &str, records: impl IntoIterator<Item = (Option<K>, Option<V>)>)
    where
        K: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let producer = self.producer.get_or_init(|| self.producer(&[("enable.idempotence", "true")]));
        for (key, value) in records {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic);
            record.key = key.as_ref().map(AsRef::as_ref);
            record.payload = value.as_ref().map(AsRef::as_ref);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
        let failures = producer.context().0.lock().unwrap();
        assert!(failures.is_empty(), "{failures:?}");
    }

    /// Returns all committed records that are visible in `topic` now, in order within each partition. A transaction's
    /// records may become visible a moment after the commit returned, so a caller that expects them must read again.
    pub fn read_to_end(&self, topic: &str) -> Vec<OwnedMessage> {
        let consumer = self.consumer();
        let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).unwrap();
        let mut unfinished: BTreeSet<i32> =
            metadata.topics()[0].partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect();
        assert!(!unfinished.is_empty(), "there is no topic {topic}");
        let mut start = TopicPartitionList::new();
        for partition in &unfinished {
            start.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&start).unwrap();

        let mut messages = Vec::new();
        while !unfinished.is_empty() {
            match consumer.poll(DEADLINE) {
                Some(Ok(message)) => messages.push(message.detach()),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    unfinished.remove(&partition);
                }
                // The broker is starting or down; librdkafka retries.
                Some(Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
                ))) => {}
                Some(Err(error)) => panic!("{topic}: {error}"),
                None => panic!("waited {DEADLINE:?} for the end of {topic}"),
            }
        }
        messages
    }

    /// A consumer of committed records, which the caller assigns to a start; it reports the end of a partition.
    pub fn consumer(&self) -> BaseConsumer {
        self.config()
            .set("group.id", "nobody")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "20")
            .create()
            .unwrap()
    }

    /// Commits an offset of the topic's first partition for a group without members.
    pub fn commit(&self, group: &str, topic: &str, offset: i64) {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
        consumer.commit(&offsets, CommitMode::Sync).unwrap();
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("reconnect.backoff.max.ms", "200");
        // A request to a broker that hangs fails after this time (default 60 s).
        config.set("socket.timeout.ms", "5000");
        config
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(DEADLINE)).operation_timeout(Some(DEADLINE))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The deliveries that failed, as text.
#[derive(Default)]
pub struct Failures(Mutex<Vec<String>>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().unwrap().push(error.to_string());
        }
    }
}
