//! `quipu top --once` as scripts run it, with the embedded broker.

use std::cell::Cell;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quipu_broker::EmbeddedBroker;
use quipu_record::{Aggregate, Millis, Offset, Series, Total};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_view_is_printed_in_the_chosen_format() {
    let topics = Topics::new();
    topics.report(100);
    topics.audit("sent", 100, 0);
    topics.audit("processed", 100, 0);
    topics.audit("delta", 0, 0);
    let plain = topics.top(&[]);
    assert_eq!(plain.code, Some(0), "{plain:?}");
    assert!(plain.stdout.contains("\nAUDITS\n") && plain.stdout.contains("processed and sent are equal"), "{plain:?}");
    assert_eq!(topics.top(&["--output", "plain"]).code, Some(0));

    let json = topics.top(&["--output", "json"]);
    let report: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((json.code, &report["v"], &report["audits"][0]["delta"]), (Some(0), &1.into(), &0.into()), "{json:?}");
    assert_eq!(topics.top(&["--output", "xml"]).code, Some(2));
}

#[test]
fn duplicates_set_the_exit_code_only_with_the_flag() {
    let topics = Topics::new();
    topics.report(100);
    topics.audit("delta", 0, 0);
    assert_eq!(topics.top(&["--fail-on-duplicates"]).code, Some(0));
    topics.audit("delta", 7, 0);
    topics.audit("delta", 7, 0);
    let found = topics.top(&["--fail-on-duplicates"]);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stdout.contains("at least 7 records were processed twice"), "{found:?}");
    assert_eq!(topics.top(&[]).code, Some(0), "the flag is not set");
}

#[test]
fn an_audit_that_can_not_be_checked_is_an_error() {
    let topics = Topics::new();
    topics.report(100);
    topics.report(110);
    assert_fails(&topics.top(&["--fail-on-duplicates", "--timeout", "3"]), "there is no audit to check");
    topics.audit("sent", 100, 1);
    assert_fails(&topics.top(&["--fail-on-duplicates"]), "its delta has not been published yet");
    topics.audit("delta", 0, 1);
    assert_eq!(topics.top(&["--fail-on-duplicates"]).code, Some(0));

    topics.report(120);
    let stalled = topics.top(&["--fail-on-duplicates", "--timeout", "3"]);
    assert_fails(&stalled, "the aggregator is 1 records behind");
    assert!(stalled.stdout.contains("\nAUDITS\n"), "the available data is shown: {stalled:?}");
    topics.audit("delta", 3, 1);
    topics.audit("delta", 3, 1);
    assert_eq!(
        topics.top(&["--fail-on-duplicates", "--timeout", "3"]).code,
        Some(1),
        "duplicates that were found are reported"
    );
}

#[test]
fn an_aggregator_that_does_not_read_is_behind_and_not_idle() {
    let topics = Topics::new();
    topics.report(100);
    topics.audit("delta", 0, 0);
    let idle = topics.top(&[]);
    assert!(idle.stdout.starts_with("IDLE"), "{idle:?}");
    topics.report(110);
    let behind = topics.top(&[]);
    assert!(behind.stdout.starts_with("BEHIND by 1 record; newest total "), "{behind:?}");
    let json: Value = serde_json::from_str(&topics.top(&["--output", "json"]).stdout).expect("JSON");
    assert_eq!((&json["verdict"]["state"], &json["verdict"]["by"]), (&"behind".into(), &1.into()), "{json}");
}

#[test]
fn a_series_that_does_not_exist_is_an_error_with_the_nearest() {
    let topics = Topics::new();
    topics.report(100);
    topics.audit("delta", 0, 0);
    assert_eq!(topics.top(&["--series", "done"]).code, Some(0));
    let unknown = topics.top(&["--series", "don"]);
    assert_fails(&unknown, "--series: no series don; the nearest: done, ");
    assert_eq!(unknown.stdout, "");
}

#[test]
fn without_a_broker_nothing_is_shown() {
    let finished = top("127.0.0.1:9", &["--timeout", "0.5"]);
    assert_fails(&finished, "the topics were not read within 0.5 s (--timeout)");
    assert_eq!(finished.stdout, "");
}

/// The two topics, written as a reporter and an aggregator write them.
struct Topics {
    broker: EmbeddedBroker,
    producer: BaseProducer,
    /// The timestamp of the next aggregate, in ms since 1970.
    clock: Cell<i64>,
}

#[derive(Debug)]
struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Topics {
    fn new() -> Self {
        let broker = EmbeddedBroker::start().expect("a broker");
        for topic in ["metrics", "metrics-agg"] {
            broker.create_topic(topic, 1).expect("a topic");
        }
        let mut config = ClientConfig::new();
        let producer = config.set("bootstrap.servers", broker.bootstrap_servers()).create().expect("a producer");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let clock = Cell::new(i64::try_from(now).expect("before the end of time") - 60_000);
        Self { broker, producer, clock }
    }

    /// Writes the next count of a plain counter.
    fn report(&self, count: u64) {
        self.send("metrics", "job", format!(r#"{{"name":"done","count":{count}}}"#).as_bytes());
    }

    /// Writes an aggregate of the audit as of an offset. Its timestamp is some seconds after the one before, because a
    /// delta that is positive only for a moment does not count as duplicates.
    fn audit(&self, part: &str, count: i128, offset: i64) {
        let series = Series::new(format!("quipu_audit_{part}"), [("audit", "all")]).expect("a series");
        let total = if part == "delta" { Total::Delta(count) } else { Total::Counter(count) };
        let timestamp = self.clock.get();
        self.clock.set(timestamp + 5_000);
        let key = series.to_string();
        let (timestamp, offset) = (Millis(timestamp), Offset(offset));
        let aggregate = Aggregate { series, total, timestamp, offset, instances: 1 };
        self.send("metrics-agg", &key, &aggregate.to_json());
    }

    fn send(&self, topic: &str, key: &str, value: &[u8]) {
        self.producer.send(BaseRecord::to(topic).key(key).payload(value)).map_err(|(error, _)| error).expect("room");
        self.producer.flush(PATIENCE).expect("the broker takes it");
    }

    fn top(&self, arguments: &[&str]) -> Finished {
        top(&self.broker.bootstrap_servers(), arguments)
    }
}

/// Runs `quipu top --once` with these arguments, without a terminal.
fn top(brokers: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    command.args(["top", "--once", "--brokers", brokers]).args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUIPU_")) {
        command.env_remove(name);
    }
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Finished { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

#[track_caller]
fn assert_fails(finished: &Finished, why: &str) {
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.stderr.starts_with("error: ") && finished.stderr.contains(why), "{finished:?}");
}
