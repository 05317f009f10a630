//! Random hostile series are encoded by the sinks, parsed by the real servers, and read back.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use quipu_record::Series;
use quipu_testkit::{Server, require};

use crate::stream::{Points, Stream, restore};
use crate::{carbon, influxdb, victoria_metrics};

fn series() -> impl Strategy<Value = Series> {
    let text = "\\PC{1,12}|[a-z_xA20#,= \\\\\"'\n\r\t\0;.{}|~!^$*()]{1,16}|[\\\\,= \"]{1,6}|#?[a-z]{1,3}|time|total|\
                instances|name|_field|_measurement|__name__|true|nan|1i|[\u{80}-\u{a0}\u{2028}\u{feff}]{1,3}";
    let labels = prop::collection::vec((text, text), 0..5);
    (text, labels).prop_filter_map("a label occurs twice", |(name, labels)| Series::new(name, labels).ok())
}

/// The number of series for InfluxDB. Its response has a column for each tag of each series: some megabytes for this
/// many.
const SERIES: usize = 800;

/// The number of series for Carbon, which creates a file for each.
const FILES: usize = 150;

fn hostile_stream(many: usize, totals: std::ops::Range<i128>) -> Stream {
    let mut runner = TestRunner::default();
    let series = series();
    let mut stream = Stream::new();
    let all: std::collections::BTreeSet<_> =
        (0..many).map(|_| series.new_tree(&mut runner).unwrap().current()).collect();
    stream.publish(1, all.into_iter().zip(totals));
    stream
}

#[test]
fn hostile_series_read_back_from_influxdb() {
    let Some(server) = require(influxdb::start()) else { return };
    let stream = hostile_stream(SERIES, i128::from(i64::MAX) - 5000..i128::from(i64::MAX));
    let sink = stream.start_sink(&influxdb::sink(&server));
    stream.expect(&sink, || influxdb::read(&server, influxdb::ALL));
}

#[test]
fn hostile_series_read_back_from_victoria_metrics() {
    let Some(server) = require(Server::start("victoria-metrics", &[])) else { return };
    let stream = hostile_stream(SERIES, (1 << 53) - 5000..1 << 53);
    let sink = stream.start_sink(&victoria_metrics::sink(&server));
    stream.expect(&sink, || victoria_metrics::read(&server));
}

#[test]
fn hostile_series_read_back_from_carbon_by_their_paths() {
    let Some(server) = require(Server::start("carbon", &[])) else { return };
    let stream = hostile_stream(FILES, 1..5000);
    let sink = stream.start_sink(&carbon::sink(server.address(), ""));
    stream.expect(&sink, || {
        let mut points = Points::new();
        for labels in 0..5 {
            let target = format!("quipu.*{}", ".*.*".repeat(labels));
            points.extend(carbon::read(&server, &target, |path| {
                let nodes: Vec<_> = path.split('.').skip(1).map(restore).collect();
                let labels = nodes[1..].chunks(2).map(|label| (label[0].as_str(), label[1].as_str()));
                Series::new(nodes[0].as_str(), labels).unwrap()
            }));
        }
        points
    });
}

#[test]
fn hostile_series_read_back_from_carbon_by_their_tags() {
    let Some(server) = require(Server::start("carbon", &[])) else { return };
    let stream = hostile_stream(FILES, 1..5000);
    let sink = stream.start_sink(&carbon::sink(server.address(), "tags = true"));
    stream.expect(&sink, || {
        carbon::read(&server, "seriesByTag('name=~^quipu')", |target| carbon::tagged(target).unwrap())
    });
}
