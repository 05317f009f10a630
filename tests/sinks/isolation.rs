//! Each sink has its own group, position and metrics.

use std::net::TcpListener;

use quipu_testkit::configured::{Aggregator, EMBEDDED, broker};
use quipu_testkit::http::{get, get_json};
use quipu_testkit::{DEADLINE, eventually};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

use crate::QUIPU;
use crate::scripted::{Reply, Scripted};

/// The position that a group has committed on the topic of the totals.
fn position(brokers: &str, group: &str) -> Option<i64> {
    let mut config = ClientConfig::new();
    let consumer: BaseConsumer = config.set("bootstrap.servers", brokers).set("group.id", group).create().unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition("metrics-agg", 0);
    let committed = consumer.committed_offsets(asked, DEADLINE).unwrap();
    match committed.elements()[0].offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

#[test]
fn a_target_that_hangs_delays_neither_another_nor_the_aggregation() {
    let broker = broker();
    let brokers = broker.bootstrap_servers();
    // The kernel accepts connections for this listener, and nobody answers.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let hung = hung.local_addr().unwrap();
    let fine = Scripted::start(|_| Reply::Accept);
    let sinks = format!(
        "[[sink]]\nname = 'hung'\ntype = 'influxdb'\nurl = 'http://{hung}'\nbucket = 'b'\ntimeout = '10m'\n\
         [[sink]]\nname = 'mute'\ntype = 'graphite'\naddress = '{hung}'\nsettle = '0s'\ntimeout = '10m'\n\
         [[sink]]\nname = 'fine'\ntype = 'influxdb'\nurl = 'http://{}'\nbucket = 'b'\ngzip = false\n",
        fine.address
    );
    let aggregator = Aggregator::start(QUIPU, &brokers, EMBEDDED, &sinks);
    for round in 1..=3 {
        aggregator.count(&[("a", "records_processed", "{}", round * 100)]);
        aggregator.expect_total("records_processed", round * 100);
        let wanted = format!("total={}i,", round * 100);
        eventually("the total at the other sink", || {
            let points = fine.points();
            let mut totals = points.iter().filter(|((series, _), _)| series == "records_processed");
            totals.any(|(_, fields)| fields.starts_with(&wanted)).then_some(())
        });
    }
    let status = eventually("the status", || {
        let status = get_json(&aggregator.address, "/api/v1/status");
        let is_so = |name: &str, is_so: fn(&Value) -> bool| {
            status["sinks"].as_array().unwrap().iter().any(|sink| sink["name"] == name && is_so(sink))
        };
        let is_so = is_so("hung", |hung| hung["points"] == 0 && hung["retries"] == 0)
            && is_so("mute", |mute| mute["retries"] == 0)
            && is_so("fine", |fine| fine["points"].as_u64() >= Some(3) && fine["lag"] == 0);
        is_so.then_some(status)
    });
    assert_eq!(status["sinks"].as_array().unwrap().len(), 3, "{status}");
    assert!(position(&brokers, "quipu-sink-fine") >= Some(3));
    assert_eq!([position(&brokers, "quipu-sink-hung"), position(&brokers, "quipu-sink-mute")], [None, None]);

    let metrics = get(&aggregator.address, "/metrics");
    for name in ["points_total", "rejected_total", "retries_total", "cleaned_total", "lag"] {
        for sink in ["hung", "mute", "fine"] {
            let sample = format!("quipu_sink_{name}{{sink=\"{sink}\"}}");
            assert!(metrics.contains(&sample), "no {sample} in {metrics}");
        }
    }
    assert!(metrics.contains("quipu_sink_points_total{sink=\"hung\"} 0\n"), "{metrics}");
    // The aggregator also publishes its own counters as totals, which Prometheus reads from each process instead.
    aggregator.expect_some(r#"quipu_sink_points_total{sink="fine"}"#);
    let totals = get(&aggregator.address, "/metrics/totals");
    let own = totals.lines().filter(|line| line.contains("quipu_") && !line.contains("quipu_audit_"));
    assert_eq!(own.count(), 0, "{totals}");
    assert!(totals.contains("\nrecords_processed_total 300\n"), "{totals}");
    assert!(totals.contains("\nquipu_audit_processed_total{audit=\"auth\"} 300\n"), "{totals}");
}
