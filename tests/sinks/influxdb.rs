//! A real InfluxDB 1.x.

use quipu_record::Series;
use quipu_testkit::http::{encode, get_json, request};
use quipu_testkit::{Missing, Server, eventually, require};

use crate::stream::{Points, Stream, restore};

const DATABASE: &str = "quipu";
pub(crate) const ALL: &str = "/.*/";

pub(crate) fn start() -> Result<Server, Missing> {
    let server = Server::start("influxdb", &[])?;
    create_database(server.address());
    Ok(server)
}

pub(crate) fn create_database(address: &str) {
    let path = format!("/query?q={}", encode("CREATE DATABASE quipu"));
    eventually("the database", || request("POST", address, &path, "").ok().filter(|(status, _)| *status == 200));
}

pub(crate) fn sink(server: &Server) -> String {
    format!("type = 'influxdb'\nurl = 'http://{}'\ndatabase = '{DATABASE}'\ntimeout = '1s'", server.address())
}

/// All points of these measurements, read with InfluxQL.
pub(crate) fn read(server: &Server, measurements: &str) -> Points {
    read_at(server.address(), measurements)
}

/// All points of these measurements in the server at this address.
pub(crate) fn read_at(address: &str, measurements: &str) -> Points {
    let query = encode(&format!("SELECT total, instances FROM {measurements} GROUP BY *"));
    let answer = get_json(address, &format!("/query?db={DATABASE}&epoch=ms&q={query}"));
    let mut points = Points::new();
    for series in answer["results"][0]["series"].as_array().into_iter().flatten() {
        // InfluxQL lists the tags of all other series too, with empty values.
        let tags = series["tags"].as_object().into_iter().flatten().filter(|(_, value)| *value != "");
        let labels = tags.map(|(name, value)| (restore(name), restore(value.as_str().unwrap())));
        let key = Series::new(restore(series["name"].as_str().unwrap()), labels).unwrap();
        for value in series["values"].as_array().unwrap() {
            // A query may return one field of a new point without the other.
            if let [Some(timestamp), Some(total), Some(2)] = [0, 1, 2].map(|at| value[at].as_i64()) {
                points.insert((key.clone(), timestamp), total.into());
            }
        }
    }
    points
}

#[test]
fn totals_arrive_exactly_with_their_times() {
    let Some(server) = require(start()) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..5);
    stream.publish(9, [(Series::new("beyond", [("two", "53")]).unwrap(), i128::from(i64::MAX))]);
    let sink = stream.start_sink(&sink(&server));
    stream.expect(&sink, || read(&server, ALL));
}

#[test]
fn nothing_is_lost_if_a_server_is_absent_killed_or_hangs() {
    let Some(mut server) = require(start()) else { return };
    server.kill();
    let mut stream = Stream::new();
    stream.publish_seconds(0..5);
    let sink = stream.start_sink(&sink(&server));
    sink.expect_log("the write to the target failed");
    server.restart();
    stream.expect(&sink, || read(&server, ALL));

    stream.publish_seconds(5..10);
    server.kill();
    stream.publish_seconds(10..15);
    server.restart();
    stream.expect(&sink, || read(&server, ALL));

    server.hang();
    stream.publish_seconds(15..20);
    sink.expect_log("operation timed out");
    server.resume();
    stream.expect(&sink, || read(&server, ALL));
}

#[test]
fn a_missing_database_is_waited_for() {
    let Some(server) = require(Server::start("influxdb", &[])) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..2);
    let sink = stream.start_sink(&sink(&server));
    sink.expect_log("the target refuses all writes; correct it or the sink's configuration");
    create_database(server.address());
    stream.expect(&sink, || read(&server, ALL));
}

#[test]
fn the_good_lines_of_a_rejected_batch_are_kept_and_the_bad_one_is_logged() {
    let Some(server) = require(start()) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..2);
    let expected = stream.points.clone();
    // A field of another type makes the sink's line invalid. It has the same time, because a field has one type per
    // shard, which covers a week.
    let (_, millis) = expected.keys().next().unwrap();
    let (path, line) = (format!("/write?db={DATABASE}&precision=ms"), format!("poisoned total=\"text\" {millis}\n"));
    let (status, answer) = request("POST", server.address(), &path, &line).unwrap();
    assert_eq!(status, 204, "{answer}");
    stream.publish(1, [(Series::new("poisoned", [("a", "b")]).unwrap(), 1)]);
    stream.points = expected;
    let sink = stream.start_sink(&sink(&server));
    sink.expect_log("field type conflict");
    stream.expect(&sink, || read(&server, "records"));
    sink.expect_status("one total rejected", |status| status["rejected"] == 1 && status["points"] == 80);
}
