//! The whole aggregator against the embedded broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use quipu_aggregator::{Error, run};
use quipu_broker::EmbeddedBroker;
use quipu_config::Config;
use quipu_record::Aggregate;
use quipu_testkit::fleet::{Fleet, RESTARTED, RUN};
use quipu_testkit::{Running, count_of};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};

/// What stands in a configuration file.
fn config(text: &str) -> Config {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, text).expect("written");
    Config::load(Some(file.path()), [("", ""); 0], []).expect("a configuration")
}

/// An aggregator on a thread of its own.
fn start(config: Config) -> Running<Result<(), Error>> {
    Running::start(|stop| run(config, "1.2.3", stop))
}

fn reader(fleet: &Fleet, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", fleet.broker.bootstrap_servers())
        .set("group.id", "outsider")
        .set("fetch.wait.max.ms", "10")
        .create()
        .expect("a consumer");
    let mut partition = TopicPartitionList::new();
    partition.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
    consumer.assign(&partition).expect("assigned");
    consumer
}

/// What an outsider has read of `metrics-agg`.
struct Outsider {
    consumer: BaseConsumer,
    totals: BTreeMap<String, i128>,
    went_back: Vec<String>,
}

impl Outsider {
    fn new(fleet: &Fleet) -> Self {
        Self { consumer: reader(fleet, "metrics-agg"), totals: BTreeMap::new(), went_back: Vec::new() }
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
            let count = count_of(&aggregate);
            let before = self.totals.insert(key.clone(), count);
            if before.is_some_and(|before| before > count) {
                self.went_back.push(key);
            }
        }
    }
}

#[test]
fn totals_are_the_sums_of_the_latest_reports_and_survive_a_restart() {
    let fleet = Fleet::start();
    let config = config(&fleet.audited());
    let mut outsider = Outsider::new(&fleet);
    let aggregator = start(config.clone());
    fleet.count("app-2:done", "done", 5);
    fleet.report(
        "app-1",
        RUN,
        1,
        false,
        r#"{"name":"done","value":10},{"name":"sent","labels":{"topic":"auth"},"value":30}"#,
    );
    outsider.until("done", 15);
    outsider.until(r#"sent{topic="auth"}"#, 30);
    outsider.until(r#"quipu_audit_delta{audit="all"}"#, -15);
    // The same instance starts again: its earlier run keeps counting.
    fleet.report("app-1", RESTARTED, 1, false, r#"{"name":"done","value":1}"#);
    outsider.until("done", 16);
    aggregator.stop().expect("a clean stop");
    fleet.count("app-2:done", "done", 25);
    let aggregator = start(config);
    outsider.until("done", 36);
    outsider.until(r#"quipu_audit_delta{audit="all"}"#, 6);
    aggregator.stop().expect("a clean stop");
    assert_eq!(outsider.went_back, Vec::<String>::new());
}

#[test]
fn bad_records_go_to_the_dead_letters_once_while_good_ones_flow() {
    let fleet = Fleet::start();
    let mut outsider = Outsider::new(&fleet);
    let aggregator = start(config(&fleet.configuration()));
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
        fleet.send("metrics", key, Some(value));
    }
    fleet.count("app-2:done", "done", 1);
    outsider.until("done", 8);
    aggregator.stop().expect("a clean stop");

    // A restart reads the log again, but its dead letters were copied already.
    let aggregator = start(config(&fleet.configuration()));
    fleet.count("app-2:done", "done", 2);
    outsider.until("done", 9);
    fleet.send("metrics", Some("k"), Some(b"last"));
    fleet.count("app-2:done", "done", 3);
    outsider.until("done", 10);
    aggregator.stop().expect("a clean stop");

    let dead = reader(&fleet, "metrics-dlq");
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
    let aggregator = start(config(&fleet.configuration()));
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
fn more_than_one_partition_is_an_error_that_names_the_number() {
    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("metrics", 3).expect("a topic");
    let mut config = Config::default();
    config.kafka.brokers = broker.bootstrap_servers();
    config.http.listen = None;
    let error = start(config).thread.join().expect("no panic").expect_err("three partitions");
    assert!(error.to_string().contains("has 3 partitions"), "{error}");
}

#[test]
fn a_busy_port_names_the_flag() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut config = Config::default();
    config.http.listen = busy.local_addr().ok().map(Into::into);
    let error = start(config).thread.join().expect("no panic").expect_err("a busy port");
    assert!(error.to_string().contains("--http"), "{error}");
}
