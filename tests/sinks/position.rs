//! A sink's position: a new sink starts at the beginning, and the position moves only after the target accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quipu_record::Series;
use quipu_testkit::configured::Aggregator;
use quipu_testkit::http::get_json;
use quipu_testkit::{Cluster, Kafka, Server, eventually, require};
use rdkafka::Message as _;

use crate::QUIPU;
use crate::faults::{APIS, expect, sink};
use crate::scripted::{Reply, Scripted};
use crate::stream::Stream;
use crate::{carbon, influxdb};

/// A server that answers 503 until it is opened.
fn gate() -> (Arc<AtomicBool>, Scripted) {
    let closed = Arc::new(AtomicBool::new(true));
    let is_closed = Arc::clone(&closed);
    let server = Scripted::start(move |_| {
        if is_closed.load(Ordering::Relaxed) { Reply::Refuse(503, "", "closed") } else { Reply::Accept }
    });
    (closed, server)
}

#[test]
fn totals_that_were_not_accepted_are_written_by_the_next_process() {
    for api in APIS {
        let (closed, server) = gate();
        let mut stream = Stream::new();
        stream.publish_seconds(0..3);
        let killed = stream.start_sink(&sink(&server, api));
        killed.expect_log("HTTP 503: closed");
        drop(killed);
        let stopped = stream.start_sink(&sink(&server, api));
        stopped.expect_log("HTTP 503: closed");
        stopped.stop();
        closed.store(false, Ordering::Relaxed);
        let last = stream.start_sink(&sink(&server, api));
        expect(&stream, &last, &server);
    }
}

#[test]
fn totals_that_carbon_did_not_read_are_written_by_the_next_process() {
    let Some(mut server) = require(Server::start("carbon", &[])) else { return };
    let mut stream = Stream::new();
    server.hang();
    stream.publish_seconds(0..5);
    let killed = stream.start_sink(&carbon::sink(server.address(), ""));
    killed.expect_points(400);
    killed.expect_log("the peer did not read everything that was written");
    drop(killed);
    server.kill();
    server.restart();
    let last = stream.start_sink(&carbon::sink(server.address(), ""));
    stream.expect(&last, || carbon::read_records(&server));
}

#[test]
fn a_rebalance_during_an_outage_loses_nothing() {
    let (closed, server) = gate();
    let mut stream = Stream::new();
    let number = |number: i64| Series::new("records", [("number", number.to_string())]).unwrap();
    stream.publish(1, (0..200).map(|at| (number(at), i128::from(at))));
    let first = stream.start_sink(&sink(&server, APIS[0]));
    first.expect_log("HTTP 503: closed");
    for _ in 0..2 {
        let other = stream.start_sink(&sink(&server, APIS[0]));
        // Both members have their partitions after the second one got its own.
        other.expect_log("partitions of the sink's group were assigned");
        other.stop();
    }
    closed.store(false, Ordering::Relaxed);
    expect(&stream, &first, &server);
}

#[test]
fn a_sink_that_has_written_everything_has_no_lag_behind_transactions() {
    let Some(kafka) = require(Kafka::start()) else { return };
    let (closed, server) = gate();
    let sink_of = sink(&server, APIS[0]);
    let aggregator = Aggregator::start(QUIPU, kafka.bootstrap(), "", &format!("[[sink]]\nname = 'test'\n{sink_of}\n"));
    let lag = || get_json(&aggregator.address, "/api/v1/status")["sinks"][0]["lag"].as_i64();
    for count in 1..4 {
        aggregator.count(&[("a", "records_processed", "{}", count)]);
        aggregator.expect_total("records_processed", count);
    }
    // The lag is also reported while the target does not accept: three totals and the markers of their transactions.
    eventually("a lag", || lag().filter(|lag| *lag >= 6));
    closed.store(false, Ordering::Relaxed);
    eventually("no lag", || lag().filter(|lag| *lag == 0));
}

#[test]
fn a_new_sink_begins_with_the_compacted_topic() {
    let Some(kafka) = require(Kafka::start()) else { return };
    let Some(server) = require(influxdb::start()) else { return };
    let cluster = Cluster::new(kafka.bootstrap());
    // Segments end quickly, and the broker compacts all but the last one as soon as it checks.
    let settings = [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.001")];
    let topic = cluster.create_topic("aggregates", 1, &settings);
    let mut stream = Stream::on(kafka.bootstrap(), &topic);
    stream.publish_seconds(0..5);
    stream.points.clear();
    stream.publish(9, (0..40_i64).map(|at| (Series::new("records", [("number", at.to_string())]).unwrap(), 9000)));
    let last = stream.points.clone();
    eventually("compaction", || {
        // A segment ends when a record is written after its time.
        stream.publish(10, [(Series::new("tick", [("k", "v")]).unwrap(), 1)]);
        let read = cluster.read_to_end(&topic);
        let records = read.iter().filter(|record| record.key().is_some_and(|key| key.starts_with(b"records")));
        (records.count() == last.len()).then_some(())
    });
    stream.points = last;
    let sink = stream.start_sink(&influxdb::sink(&server));
    stream.expect(&sink, || influxdb::read(&server, "records"));
}
