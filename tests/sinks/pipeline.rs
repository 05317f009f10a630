//! The whole path with a real Kafka broker: counters, the aggregator with transactions, its sinks, and three databases.

use std::collections::BTreeMap;

use quipu_testkit::configured::Aggregator;
use quipu_testkit::http::get;
use quipu_testkit::{Kafka, Server, eventually, require};

use crate::QUIPU;
use crate::stream::Points;
use crate::{carbon, influxdb, victoria_metrics};

/// The last total of each topic.
fn latest(points: Points) -> BTreeMap<String, i128> {
    let mut latest = BTreeMap::new();
    // The points are ordered by time.
    for ((series, _), total) in points {
        if series.name() == "records_processed" {
            latest.insert(series.label("topic").unwrap_or_default().to_owned(), total);
        }
    }
    latest
}

#[test]
fn totals_of_a_real_kafka_reach_every_database() {
    let Some(kafka) = require(Kafka::start()) else { return };
    let Some(influxdb) = require(influxdb::start()) else { return };
    let Some(victoria_metrics) = require(Server::start("victoria-metrics", &[])) else { return };
    let Some(carbon) = require(Server::start("carbon", &[])) else { return };
    let sinks = format!(
        "[[sink]]\nname = 'influxdb'\n{}\n[[sink]]\nname = 'victoria'\n{}\n[[sink]]\nname = 'carbon'\n{}\n\
         [[sink]]\nname = 'nobody'\ntype = 'graphite'\naddress = '127.0.0.1:1'\n",
        influxdb::sink(&influxdb),
        victoria_metrics::sink(&victoria_metrics),
        carbon::sink(carbon.address(), ""),
    );
    let aggregator = Aggregator::start(QUIPU, kafka.bootstrap(), "", &sinks);
    for round in 1..=5 {
        for topic in ["auth", "mail"] {
            let labels = format!(r#"{{"topic":"{topic}"}}"#);
            let keys = [format!("a-{topic}"), format!("b-{topic}")];
            let counters = keys.each_ref().map(|key| (key.as_str(), "records_processed", labels.as_str(), round * 100));
            aggregator.count(&counters);
        }
        aggregator.expect_total(r#"records_processed{topic="mail"}"#, round * 200);
    }
    let expected: BTreeMap<_, i128> = [("auth".to_owned(), 1000), ("mail".to_owned(), 1000)].into();
    eventually("the totals in InfluxDB", || {
        (latest(influxdb::read(&influxdb, "records_processed")) == expected).then_some(())
    });
    eventually("the totals in VictoriaMetrics", || {
        (latest(victoria_metrics::read(&victoria_metrics)) == expected).then_some(())
    });
    eventually("the totals in Carbon", || {
        let target = "quipu.records_processed.topic.*";
        let read = carbon::read(&carbon, target, |path| {
            let topic = path.rsplit_once('.').unwrap().1;
            quipu_record::Series::new("records_processed", [("topic", topic)]).unwrap()
        });
        (latest(read) == expected).then_some(())
    });
    // The sink whose target is unreachable has not delayed the others, and its status shows the error.
    let status = get(&aggregator.address, "/api/v1/status");
    assert!(status.contains("127.0.0.1:1: Connection refused"), "{status}");
}
