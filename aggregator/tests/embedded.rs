//! The whole aggregator against the embedded broker.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use quipu_aggregator::config::{Audit, StoreKind};
use quipu_aggregator::{Config, Error, run};
use quipu_broker::EmbeddedBroker;
use quipu_record::Aggregate;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

const RUN: &str = "01920000-0000-7000-8000-000000000001";
const RESTARTED: &str = "01920000-0000-7000-8000-000000000002";

struct Fleet {
    broker: EmbeddedBroker,
    producer: BaseProducer,
}

impl Fleet {
    fn start() -> Self {
        let broker = EmbeddedBroker::start().expect("a broker");
        for topic in ["metrics", "metrics-agg", "metrics-state", "metrics-dlq"] {
            broker.create_topic(topic, 1).expect("a topic");
        }
        let producer =
            ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().expect("a producer");
        Self { broker, producer }
    }

    fn config(&self) -> Config {
        let mut config = Config { commit_interval: Duration::from_millis(50), ..Config::default() };
        config.kafka.brokers = self.broker.bootstrap_servers();
        config.kafka.properties.insert("fetch.wait.max.ms", "10");
        config.http.listen = None;
        config.state.store = StoreKind::Memory;
        config
    }

    fn send(&self, key: Option<&str>, value: Option<&[u8]>) {
        let mut record = BaseRecord::<str, [u8]>::to("metrics");
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(value) = value {
            record = record.payload(value);
        }
        self.producer.send(record).map_err(|(error, _)| error).expect("sent");
        self.producer.flush(Duration::from_secs(10)).expect("delivered");
    }

    fn count(&self, key: &str, name: &str, count: u64) {
        self.send(Some(key), Some(format!(r#"{{"name":"{name}","count":{count}}}"#).as_bytes()));
    }

    fn report(&self, run: &str, seq: u64, counters: &str) {
        let value = format!(
            r#"{{"v":1,"instance":"app-1","run":"{run}","at":1,"seq":{seq},"interval_ms":1000,"final":false,"counters":[{counters}]}}"#
        );
        self.send(Some(&format!("app-1/{run}")), Some(value.as_bytes()));
    }

    fn reader(&self, topic: &str) -> BaseConsumer {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.broker.bootstrap_servers())
            .set("group.id", "outsider")
            .set("fetch.wait.max.ms", "10")
            .create()
            .expect("a consumer");
        let mut partition = TopicPartitionList::new();
        partition.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
        consumer.assign(&partition).expect("assigned");
        consumer
    }
}

/// What an outsider has read of `metrics-agg`.
struct Outsider {
    consumer: BaseConsumer,
    totals: BTreeMap<String, i128>,
    went_back: Vec<String>,
}

impl Outsider {
    fn new(fleet: &Fleet) -> Self {
        Self { consumer: fleet.reader("metrics-agg"), totals: BTreeMap::new(), went_back: Vec::new() }
    }

    #[track_caller]
    fn until(&mut self, series: &str, total: i128) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.totals.get(series) != Some(&total) {
            assert!(Instant::now() < deadline, "{series} is not {total}: {:?}", self.totals);
            let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(50)) else { continue };
            let aggregate = Aggregate::decode(message.payload().expect("a value")).expect("an aggregate");
            let key = aggregate.series.to_string();
            assert_eq!(message.key(), Some(key.as_bytes()));
            let before = self.totals.insert(key.clone(), aggregate.count);
            if before.is_some_and(|before| before > aggregate.count) {
                self.went_back.push(key);
            }
        }
    }
}

/// An aggregator on a thread of its own.
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), Error>>,
}

impl Running {
    fn start(config: Config) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(run(config, async {
                let _ = stopped.await;
            }))
        });
        Self { stop, thread }
    }

    fn stop(self) -> Result<(), Error> {
        let _ = self.stop.send(());
        self.thread.join().expect("no panic")
    }
}

#[test]
fn totals_are_the_sums_of_the_latest_reports_and_survive_a_restart() {
    let fleet = Fleet::start();
    let mut config = fleet.config();
    config.audits = vec![Audit {
        name: "all".to_owned(),
        sent: "sent".parse().expect("a selector"),
        processed: "done".parse().expect("a selector"),
    }];
    let mut outsider = Outsider::new(&fleet);
    let aggregator = Running::start(config.clone());
    fleet.count("app-2:done", "done", 5);
    fleet.report(RUN, 1, r#"{"name":"done","value":10},{"name":"sent","labels":{"topic":"auth"},"value":30}"#);
    outsider.until("done", 15);
    outsider.until(r#"sent{topic="auth"}"#, 30);
    outsider.until(r#"quipu_audit_delta{audit="all"}"#, -15);
    // The same instance starts again: its earlier run keeps counting.
    fleet.report(RESTARTED, 1, r#"{"name":"done","value":1}"#);
    outsider.until("done", 16);
    aggregator.stop().expect("a clean stop");
    fleet.count("app-2:done", "done", 25);
    let aggregator = Running::start(config);
    outsider.until("done", 36);
    outsider.until(r#"quipu_audit_delta{audit="all"}"#, 6);
    aggregator.stop().expect("a clean stop");
    assert_eq!(outsider.went_back, Vec::<String>::new());
}

#[test]
fn bad_records_go_to_the_dead_letters_once_while_good_ones_flow() {
    let fleet = Fleet::start();
    let mut outsider = Outsider::new(&fleet);
    let aggregator = Running::start(fleet.config());
    let deep = "[".repeat(10_000);
    let large = vec![b'x'; 900_000];
    let on_live_key = r#"{"name":"done","count":-1}"#;
    let bad: [(Option<&str>, &[u8], &str); 9] = [
        (None, b"{}", "null_key"),
        (Some(""), b"{}", "empty_key"),
        (Some("k"), b"", "empty_value"),
        (Some("k"), b"\x00\xff\xfe", "not_utf8"),
        (Some("k"), br#"{"name":"a","count":1e400}"#, "invalid_json"),
        (Some("k"), deep.as_bytes(), "unexpected_shape"),
        (Some("k"), &large, "invalid_json"),
        (Some("app-1:done"), on_live_key.as_bytes(), "negative_count"),
        (Some("app-1:done"), br#"{"name":"other","count":9}"#, "series_changed"),
    ];
    fleet.count("app-1:done", "done", 7);
    for (key, value, _) in bad {
        fleet.send(key, Some(value));
    }
    fleet.count("app-2:done", "done", 1);
    outsider.until("done", 8);
    aggregator.stop().expect("a clean stop");

    // A restart reads the log again, but its dead letters were copied already.
    let aggregator = Running::start(fleet.config());
    fleet.count("app-2:done", "done", 2);
    outsider.until("done", 9);
    fleet.send(Some("k"), Some(b"last"));
    fleet.count("app-2:done", "done", 3);
    outsider.until("done", 10);
    aggregator.stop().expect("a clean stop");

    let dead = fleet.reader("metrics-dlq");
    let mut reasons = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while reasons.len() <= bad.len() {
        assert!(Instant::now() < deadline, "dead letters are missing: {reasons:?}");
        let Some(Ok(message)) = dead.poll(Duration::from_millis(50)) else { continue };
        if let Some((key, value, _)) = bad.get(reasons.len()) {
            assert_eq!(message.key(), key.map(str::as_bytes));
            let copied = message.payload().unwrap_or_default();
            assert!(value.starts_with(copied) && copied.len() >= value.len().min(500_000));
        }
        let headers = message.headers().expect("headers");
        reasons.push(String::from_utf8_lossy(headers.get(0).value.unwrap_or_default()).into_owned());
    }
    let expected: Vec<_> = bad.iter().map(|(_, _, reason)| *reason).chain(["invalid_json"]).collect();
    assert_eq!(reasons, expected);
}

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_no_total() {
    let fleet = Fleet::start();
    let mut outsider = Outsider::new(&fleet);
    let aggregator = Running::start(fleet.config());
    fleet.count("app-1:done", "done", 1);
    outsider.until("done", 1);
    fleet.broker.down().expect("down");
    // Counted while nobody can be reached, and published by a client that tries again.
    let value = br#"{"name":"done","count":2}"#;
    let record = BaseRecord::to("metrics").key("app-1:done").payload(&value[..]);
    fleet.producer.send(record).map_err(|(error, _)| error).expect("queued");
    fleet.producer.poll(Duration::from_millis(300));
    fleet.broker.up().expect("up");
    outsider.until("done", 2);
    aggregator.stop().expect("a clean stop");
}

#[test]
fn more_than_one_partition_is_an_error_that_says_so() {
    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("metrics", 3).expect("a topic");
    let mut config = Config::default();
    config.kafka.brokers = broker.bootstrap_servers();
    config.http.listen = None;
    let error = Running::start(config).thread.join().expect("no panic").expect_err("three partitions");
    assert!(error.to_string().contains("has 3 partitions"), "{error}");
}

#[test]
fn a_busy_port_names_the_flag() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut config = Config::default();
    config.http.listen = busy.local_addr().ok();
    let error = Running::start(config).thread.join().expect("no panic").expect_err("a busy port");
    assert!(error.to_string().contains("--http"), "{error}");
}
