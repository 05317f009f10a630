//! Tests the embedded broker with ordinary Kafka clients.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use quipu_broker::{BrokerError, EmbeddedBroker};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaApiKey;
use rdkafka::util::Timeout;

const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn records_are_read_in_the_order_of_writing() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("cords", 1).unwrap();
    let producer = producer(&broker);
    for value in ["one", "two", "three"] {
        send(&producer, value);
    }
    producer.flush(DEADLINE).unwrap();

    assert_eq!(read(&broker, 3), ["one", "two", "three"]);
}

#[test]
fn creating_an_existing_topic_is_an_error() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("cords", 1).unwrap();

    let error = broker.create_topic("cords", 1).unwrap_err();

    assert!(matches!(
        error,
        BrokerError::CreateTopic { source: KafkaError::MockCluster(RDKafkaErrorCode::TopicAlreadyExists), .. }
    ));
}

#[test]
fn a_record_sent_while_the_broker_is_down_arrives_after_it_is_up() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("cords", 1).unwrap();
    let producer = producer(&broker);
    send(&producer, "before");
    producer.flush(DEADLINE).unwrap();

    broker.down().unwrap();
    send(&producer, "meanwhile");
    let held_back = producer.flush(Duration::from_millis(300));
    assert!(held_back.is_err(), "a broker that is down accepted a record: {held_back:?}");

    broker.up().unwrap();
    producer.flush(DEADLINE).unwrap();
    assert_eq!(read(&broker, 2), ["before", "meanwhile"]);
}

#[test]
fn a_delay_delays_answers() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("cords", 1).unwrap();
    let producer = producer(&broker);
    send(&producer, "fast");
    producer.flush(DEADLINE).unwrap();

    let round_trip = Duration::from_millis(400);
    broker.delay(round_trip).unwrap();
    let sent = Instant::now();
    send(&producer, "slow");
    producer.flush(DEADLINE).unwrap();

    assert!(sent.elapsed() >= round_trip, "{:?}", sent.elapsed());
}

#[test]
fn the_next_request_fails_with_the_given_error() {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic("cords", 1).unwrap();
    broker.fail_next(RDKafkaApiKey::Produce, RDKafkaErrorCode::MessageSizeTooLarge, 1).unwrap();
    let producer = producer(&broker);
    send(&producer, "rejected");
    producer.flush(DEADLINE).unwrap();
    send(&producer, "accepted");
    producer.flush(DEADLINE).unwrap();

    assert_eq!(*producer.context().rejections.lock().unwrap(), [RDKafkaErrorCode::MessageSizeTooLarge]);
    assert_eq!(read(&broker, 1), ["accepted"]);
}

#[derive(Default)]
struct Rejections {
    rejections: Mutex<Vec<RDKafkaErrorCode>>,
}

impl rdkafka::ClientContext for Rejections {}

impl ProducerContext for Rejections {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result
            && let Some(code) = error.rdkafka_error_code()
        {
            self.rejections.lock().unwrap().push(code);
        }
    }
}

fn producer(broker: &EmbeddedBroker) -> BaseProducer<Rejections> {
    ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "100")
        .create_with_context(Rejections::default())
        .unwrap()
}

fn send(producer: &BaseProducer<Rejections>, value: &str) {
    producer.send(BaseRecord::<str, str>::to("cords").payload(value)).map_err(|(error, _)| error).unwrap();
}

/// Reads the first `count` values of partition 0.
fn read(broker: &EmbeddedBroker, count: usize) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "reader")
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "10")
        .create()
        .unwrap();
    let mut start = TopicPartitionList::new();
    start.add_partition_offset("cords", 0, Offset::Beginning).unwrap();
    consumer.assign(&start).unwrap();

    let mut values = Vec::new();
    while values.len() < count {
        let message = consumer.poll(Timeout::After(DEADLINE)).expect("a record arrives before the deadline").unwrap();
        values.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
    }
    values
}
