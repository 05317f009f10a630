//! VictoriaMetrics, through InfluxDB's APIs.

use quipu_record::Series;
use quipu_testkit::http::get;
use quipu_testkit::{Server, require};
use serde_json::Value;

use crate::stream::{Points, Stream, restore};

pub(crate) fn sink(server: &Server) -> String {
    format!("type = 'influxdb'\nurl = 'http://{}'\norg = 'any'\nbucket = 'any'\ntimeout = '2s'", server.address())
}

/// All totals of the database, read with its export API.
pub(crate) fn read(server: &Server) -> Points {
    read_at(server.address())
}

/// All totals of the server at this address.
pub(crate) fn read_at(address: &str) -> Points {
    get(address, "/internal/force_flush");
    let body = get(address, "/api/v1/export?match[]=%7B__name__!=%22%22%7D");
    let mut points = Points::new();
    for line in body.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let metric = line["metric"].as_object().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let Some(name) = text(&metric["__name__"]).strip_suffix("_total").map(restore) else { continue };
        // VictoriaMetrics stores the bucket's name in this label.
        let labels = metric.iter().filter(|(name, _)| *name != "__name__" && *name != "db");
        let series = Series::new(name, labels.map(|(name, value)| (restore(name), restore(&text(value))))).unwrap();
        for (value, timestamp) in line["values"].as_array().unwrap().iter().zip(line["timestamps"].as_array().unwrap())
        {
            #[expect(clippy::cast_possible_truncation, reason = "the totals of these tests are below 2^53")]
            points.insert((series.clone(), timestamp.as_i64().unwrap()), value.as_f64().unwrap() as i128);
        }
    }
    points
}

#[test]
fn totals_arrive_through_the_v2_api() {
    let Some(server) = require(Server::start("victoria-metrics", &[])) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..5);
    let sink = stream.start_sink(&sink(&server));
    stream.expect(&sink, || read(&server));
}

#[test]
fn totals_arrive_through_the_v1_api() {
    let Some(server) = require(Server::start("victoria-metrics", &[])) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..5);
    let sink = stream.start_sink(&format!("type = 'influxdb'\nurl = 'http://{}'\ndatabase = 'any'", server.address()));
    stream.expect(&sink, || read(&server));
}

#[test]
fn nothing_is_lost_if_a_server_is_absent_killed_or_hangs() {
    let Some(mut server) = require(Server::start("victoria-metrics", &[])) else { return };
    server.kill();
    let mut stream = Stream::new();
    stream.publish_seconds(0..3);
    let sink = stream.start_sink(&sink(&server));
    sink.expect_log("the write to the target failed");
    server.restart();
    stream.expect(&sink, || read(&server));

    // VictoriaMetrics holds the latest points in memory only, and of two points of one time it may keep either if they
    // came far apart. So the test compares only what was published after the crash, with one point for each time.
    server.kill();
    stream.points.clear();
    for second in 6..9 {
        let series = (0..40).map(|number: i32| Series::new("records", [("number", number.to_string())]).unwrap());
        stream.publish(second, series.map(|series| (series, second.into())).collect::<Vec<_>>());
    }
    sink.expect_status("failing", |status| status["failing"].is_string());
    server.restart();
    let after = stream.points.clone();
    let read_after = || read(&server).into_iter().filter(|(point, _)| after.contains_key(point)).collect();
    stream.expect(&sink, read_after);

    server.hang();
    stream.points.clear();
    stream.publish_seconds(9..12);
    sink.expect_log("operation timed out");
    server.resume();
    let after = stream.points.clone();
    let read_after = || read(&server).into_iter().filter(|(point, _)| after.contains_key(point)).collect();
    stream.expect(&sink, read_after);
}
