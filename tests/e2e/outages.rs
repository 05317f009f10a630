//! What is logged while Kafka is unreachable: a line for each client when it begins, and one when it ends.

use quipu_testkit::{Kafka, Pipeline, Process, eventually, plain, require};

use crate::QUIPU;

const TROUBLE: &str = "the kafka client has an error and retries";
/// At the level debug each failure is a line.
const FAILURE: &str = "librdkafka reports an error";

/// The lines of this level with this text.
fn lines(log: &str, level: &str, text: &str) -> Vec<String> {
    let is_wanted = |line: &&str| line.contains(&format!(" {level} ")) && line.contains(text);
    log.lines().filter(is_wanted).map(str::to_owned).collect()
}

#[test]
fn a_client_without_a_broker_logs_one_line_however_often_it_fails() {
    let nobody = ["--brokers", "127.0.0.1:1", "--http", "off"];
    let sink = QUIPU.start(&[&["sink", "--stdout", "--log-level", "debug"], &nobody[..]].concat());
    eventually("a hundred failures", || (lines(&sink.stderr_so_far(), "DEBUG", FAILURE).len() >= 100).then_some(()));
    let log = sink.stderr_so_far();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
    let of = |part: &str| warnings.iter().filter(|line| line.contains(part)).count();
    assert_eq!(of("client=\"quipu-sink-stdout\""), 1, "{warnings:?}");
    assert_eq!(of("counting continues"), 1, "the reporter of the process's own counters: {warnings:?}");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(of("Connection refused"), 2, "the reason: {warnings:?}");
}

#[test]
fn an_outage_is_logged_when_it_begins_and_when_it_ends() {
    let Some(kafka) = require(Kafka::start()) else { return };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let topic = format!("topics.aggregates={}", pipeline.aggregates);
    let arguments = ["sink", "--stdout", "--brokers", kafka.bootstrap(), "--http", "off", "--set", &topic];
    let sink = QUIPU.start(&arguments);
    pipeline.send([("app-1", plain("orders", 5))]);
    pipeline.outsider().until(&[("orders", 5)]);
    let printed = |sink: &Process| sink.stdout_so_far().contains("orders");
    eventually("the sink to read", || printed(&sink).then_some(()));

    kafka.kill();
    let begins = |log: &str, client: &str| {
        let client = format!("client=\"{client}\"");
        lines(log, "WARN", TROUBLE).into_iter().filter(|line| line.contains(&client)).count()
    };
    for client in ["source", "task"] {
        aggregator.until_logged(&[" WARN ", TROUBLE, &format!("client=\"{client}\"")]);
    }
    eventually("the sink's line", || (begins(&sink.stderr_so_far(), "quipu-sink-stdout") == 1).then_some(()));
    kafka.restart();
    for client in ["source", "task"] {
        aggregator.until_logged(&[" INFO ", "works again", &format!("client=\"{client}\"")]);
    }
    let works = |log: &str| lines(log, "INFO", "works again").len();
    eventually("the sink's last line", || (works(&sink.stderr_so_far()) == 1).then_some(()));
    assert_eq!(begins(&sink.stderr_so_far(), "quipu-sink-stdout"), 1);
    assert!(!aggregator.log().contains("facility=\"FAIL\""), "librdkafka has no line of its own");
    aggregator.stop();
}
