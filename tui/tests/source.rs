//! Tests the source with the embedded broker.

use std::time::{Duration, Instant, SystemTime};

use quipu_broker::EmbeddedBroker;
use quipu_record::{Aggregate, Millis, Offset, Series, Total};
use quipu_tui::{Batch, Connection, Fleet, Source, SourceOptions, Topic, TopicState};
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaApiKey;

const RUN: &str = "01920000-0000-7000-8000-000000000001";
const PATIENCE: Duration = Duration::from_secs(30);

struct Observer {
    source: Source,
    fleet: Fleet,
}

impl Observer {
    fn start(broker: &EmbeddedBroker) -> Self {
        let options = SourceOptions {
            brokers: broker.bootstrap_servers(),
            lag_interval: Duration::from_millis(100),
            ..SourceOptions::default()
        };
        Self { source: Source::start(options).expect("the source starts"), fleet: Fleet::default() }
    }

    /// Reads until a condition holds for the fleet.
    fn until(&mut self, what: &str, is_true: impl Fn(&Fleet) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_true(&self.fleet) {
            assert!(Instant::now() < deadline, "never: {what}");
            if let Some(batch) = self.source.recv_timeout(Duration::from_millis(20)) {
                self.fleet.apply(&batch, now());
            }
            self.fleet.tick(now());
        }
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("the time fits into an i64")
}

fn is_connected(fleet: &Fleet) -> bool {
    *fleet.pipeline().connection().0 == Connection::Connected
}

fn state(fleet: &Fleet, topic: Topic) -> &TopicState {
    &fleet.pipeline().topic(topic).state
}

fn total(fleet: &Fleet, series: &str) -> Option<i128> {
    Some(fleet.find(&series.parse().expect("a series"))?.total()?.count())
}

fn producer(broker: &EmbeddedBroker) -> BaseProducer {
    ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().expect("a producer")
}

fn send(producer: &BaseProducer, topic: &str, key: &str, value: &[u8]) {
    producer
        .send(BaseRecord::to(topic).key(key).payload(value))
        .map_err(|(error, _)| error)
        .expect("the queue has room");
    producer.flush(PATIENCE).expect("the broker takes it");
}

fn report(seq: u64, count: u64) -> String {
    format!(
        r#"{{"v":1,"instance":"app-1","run":"{RUN}","at":1,"seq":{seq},"interval_ms":1000,"final":false,
        "counters":[{{"name":"records_processed","value":{count}}}]}}"#
    )
}

fn aggregate(count: i128) -> Aggregate {
    let series = Series::new("records_processed", [("", ""); 0]).expect("a series");
    let (timestamp, offset) = (Millis(now()), Offset(0));
    Aggregate { series, total: Total::Counter(count), timestamp, offset, instances: 1 }
}

#[test]
fn reports_and_aggregates_are_read_from_the_beginning_and_when_they_are_written() {
    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("metrics", 1).expect("a topic");
    broker.create_topic("metrics-agg", 1).expect("a topic");
    let producer = producer(&broker);
    let key = format!("app-1/{RUN}");
    send(&producer, "metrics", &key, report(1, 10).as_bytes());
    send(&producer, "metrics-agg", "records_processed", &aggregate(10).to_json());

    let mut observer = Observer::start(&broker);
    observer.until("the total is 10", |fleet| total(fleet, "records_processed") == Some(10));
    observer.until("the topic is read", |fleet| *state(fleet, Topic::Metrics) == TopicState::CaughtUp);
    observer.until("connected", is_connected);

    send(&producer, "metrics", &key, report(2, 25).as_bytes());
    send(&producer, "metrics-agg", "records_processed", &aggregate(25).to_json());
    observer.until("the total is 25", |fleet| total(fleet, "records_processed") == Some(25));
    let series = observer.fleet.find(&"records_processed".parse().expect("a series")).expect("the fleet has it").id();
    observer.until("the run counts 25", |fleet| fleet.runs().any(|run| run.count(series) == Some(25)));
    observer.until("the log ends are read", |fleet| fleet.pipeline().topic(Topic::Metrics).log_end == Some(2));
}

#[test]
fn the_source_waits_for_missing_topics_and_does_not_create_them() {
    let broker = EmbeddedBroker::start().expect("a broker");
    let mut observer = Observer::start(&broker);
    observer.until("the topic is missing", |fleet| *state(fleet, Topic::Aggregates) == TopicState::Missing);
    observer.until("connected", is_connected);

    broker.create_topic("metrics-agg", 1).expect("the observer did not create it");
    send(&producer(&broker), "metrics-agg", "records_processed", &aggregate(7).to_json());
    observer.until("the total is 7", |fleet| total(fleet, "records_processed") == Some(7));
    assert_eq!(*state(&observer.fleet, Topic::Metrics), TopicState::Missing);
}

#[test]
fn an_outage_is_reported_and_reading_continues_after_it() {
    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("metrics", 1).expect("a topic");
    broker.create_topic("metrics-agg", 1).expect("a topic");
    let mut observer = Observer::start(&broker);
    observer.until("connected", is_connected);
    broker.down().expect("the broker stops");
    observer
        .until("the connection is lost", |fleet| matches!(fleet.pipeline().connection().0, Connection::Lost { .. }));
    broker.up().expect("the broker starts");
    observer.until("connected again", is_connected);
    send(&producer(&broker), "metrics-agg", "records_processed", &aggregate(3).to_json());
    observer.until("the total is 3", |fleet| total(fleet, "records_processed") == Some(3));
}

#[test]
fn records_that_are_read_again_after_an_error_are_not_counted_twice() {
    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("metrics", 1).expect("a topic");
    let producer = producer(&broker);
    for count in [100, 40] {
        let value = format!(r#"{{"name":"records_processed","count":{count}}}"#);
        send(&producer, "metrics", "job", value.as_bytes());
    }
    let is_read = |fleet: &Fleet, expected| {
        let Some(series) = fleet.find(&"records_processed".parse().expect("a series")) else { return false };
        let counts: u128 = fleet.runs().filter_map(|run| run.count(series.id())).sum();
        *state(fleet, Topic::Metrics) == TopicState::CaughtUp && counts == expected
    };
    let mut observer = Observer::start(&broker);
    observer.until("both are read", |fleet| is_read(fleet, 140));
    broker.fail_next(RDKafkaApiKey::Fetch, RDKafkaErrorCode::TopicAuthorizationFailed, 1).expect("a broker");
    observer.until("reading fails", |fleet| matches!(state(fleet, Topic::Metrics), TopicState::Failed { .. }));
    send(&producer, "metrics", "job", br#"{"name":"records_processed","count":50}"#);
    observer.until("the topic is read again", |fleet| is_read(fleet, 150));
}

#[test]
fn the_lag_of_the_aggregators_group_is_read() {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
    use rdkafka::{Offset, TopicPartitionList};

    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("metrics", 1).expect("a topic");
    let producer = producer(&broker);
    for seq in 1..=5 {
        send(&producer, "metrics", &format!("app-1/{RUN}"), report(seq, seq).as_bytes());
    }
    let member: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "quipu")
        .create()
        .expect("a consumer");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("metrics", 0, Offset::Offset(3)).expect("a valid offset");
    member.commit(&offsets, CommitMode::Sync).expect("the broker accepts it");

    let mut observer = Observer::start(&broker);
    observer.until("the group lags 2 records behind", |fleet| {
        fleet.pipeline().groups().any(|(name, group)| name == "quipu" && fleet.pipeline().lag(group) == Some(2))
    });
}

#[test]
fn a_source_with_unread_batches_can_be_dropped() {
    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("metrics", 1).expect("a topic");
    let producer = producer(&broker);
    for index in 0..40 {
        let filler = "x".repeat(900_000);
        send(&producer, "metrics", &format!("key-{index}"), filler.as_bytes());
    }
    let observer = Observer::start(&broker);
    let batch = observer.source.recv_timeout(PATIENCE);
    assert!(matches!(batch, Some(Batch::Topic { .. } | Batch::Connection(_) | Batch::Lag(_))), "{batch:?}");
    drop(observer);
}
