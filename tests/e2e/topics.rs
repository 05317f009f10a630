//! The topics' settings, and what happens if a topic is missing or wrong.

use std::net::TcpListener;

use quipu_testkit::{Kafka, Pipeline, plain, require};

use crate::QUIPU;

#[test]
fn missing_topics_are_created_with_their_settings() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    pipeline.start_ready(&[]).stop();

    let expected: [(&str, &[(&str, &str)]); 4] = [
        (
            &pipeline.metrics,
            &[
                ("cleanup.policy", "compact,delete"),
                ("retention.ms", "2592000000"),
                ("min.compaction.lag.ms", "86400000"),
                ("message.timestamp.type", "LogAppendTime"),
            ],
        ),
        (&pipeline.aggregates, &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "3600000")]),
        (&pipeline.state, &[("cleanup.policy", "compact")]),
        (&pipeline.dead_letters, &[("cleanup.policy", "delete"), ("retention.ms", "604800000")]),
    ];
    let topics = pipeline.cluster.topics();
    for (topic, expected) in expected {
        assert_eq!(topics.get(topic), Some(&1), "{topic}");
        let settings = pipeline.cluster.settings(topic);
        for (name, value) in expected {
            assert_eq!(settings.get(*name).map(String::as_str), Some(*value), "{topic}: {name}");
        }
    }
}

#[test]
fn more_than_one_partition_is_refused_with_the_remedy() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    for (name, key) in
        [("metrics", "topics.metrics"), ("metrics-agg", "topics.aggregates"), ("metrics-state", "topics.state")]
    {
        let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
        let topic = pipeline.cluster.create_topic(name, 2, &[]);
        let finished = pipeline.start(&[]).finish();
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        let error = finished.stderr.lines().next_back().unwrap();
        assert!(error.starts_with(&format!("error: topic {topic} has 2 partitions")), "{error}");
        assert!(error.contains("--partitions 1") && error.contains(&format!("set {key} to")), "{error}");
    }
}

#[test]
fn a_topic_that_is_created_again_is_read_from_its_beginning() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let mut outsider = pipeline.outsider();
    pipeline.send((1..=20).map(|count| ("app-1:done", plain("done", count))));
    outsider.until(&[("done", 20)]);

    pipeline.cluster.delete_topic(&pipeline.metrics);
    pipeline.cluster.create_topic("metrics", 1, &[]);
    pipeline.send([("app-2:done", plain("done", 3))]);
    aggregator.until_logged(&["ERROR", "the source topic was created anew"]);
    outsider.until(&[("done", 3)]);
    pipeline.send([("app-2:done", plain("done", 4))]);
    outsider.until(&[("done", 4)]);
    aggregator.stop();
}

#[test]
fn a_missing_topic_that_may_not_be_created_is_waited_for() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start(&["--set", "topics.create=false"]);
    aggregator.until_logged(&[&pipeline.metrics, "waiting for the topic", "topics.create = true"]);
    assert!(!pipeline.cluster.topics().contains_key(&pipeline.metrics));

    for topic in ["metrics", "metrics-agg", "metrics-dlq", "metrics-state"] {
        pipeline.cluster.create_topic(topic, 1, &[]);
    }
    aggregator.until_ready();
    pipeline.send([("app-1:done", plain("done", 1))]);
    pipeline.outsider().until(&[("done", 1)]);
    aggregator.stop();
}

#[test]
fn without_a_broker_the_aggregator_logs_it_and_can_be_stopped() {
    // A port of this machine at which nobody listens.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let pipeline = Pipeline::new(QUIPU, &nobody);
    let aggregator = pipeline.start(&[]);
    aggregator.until_logged(&[&nobody, "can't reach kafka", "--brokers"]);
    aggregator.stop();
}
