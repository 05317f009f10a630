//! Carbon, directly and behind a relay; graphite-web reads the data back.

use quipu_record::Series;
use quipu_testkit::http::{encode, request};
use quipu_testkit::{Server, require};
use serde_json::Value;

use crate::stream::{Points, Stream, restore};

pub(crate) fn sink(address: &str, more: &str) -> String {
    format!("type = 'graphite'\naddress = '{address}'\nsettle = '2s'\ntimeout = '1s'\n{more}")
}

/// All points of the last two hours, read with graphite-web's render API.
pub(crate) fn read(server: &Server, target: &str, series: impl Fn(&str) -> Series) -> Points {
    let path = format!("/render?format=json&noNullPoints=true&from=-2h&target={}", encode(target));
    let (status, body) = request("GET", server.second_address(), &path, "").unwrap();
    let mut points = Points::new();
    if status == 500 {
        // graphite-web fails on a file that Carbon is creating at that moment.
        return points;
    }
    let answer: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
    for found in answer.as_array().unwrap() {
        let series = series(found["target"].as_str().unwrap());
        for point in found["datapoints"].as_array().unwrap() {
            #[expect(clippy::cast_possible_truncation, reason = "the totals of these tests are below 2^53")]
            points.insert((series.clone(), point[1].as_i64().unwrap() * 1000), point[0].as_f64().unwrap() as i128);
        }
    }
    points
}

/// The totals of [`Stream::publish_seconds`].
pub(crate) fn read_records(server: &Server) -> Points {
    read(server, "quipu.records.number.*", |target| {
        Series::new("records", [("number", target.rsplit_once('.').unwrap().1)]).unwrap()
    })
}

/// Parses the series from a name with tags.
pub(crate) fn tagged(target: &str) -> Option<Series> {
    let mut parts = target.strip_prefix("quipu.")?.split(';');
    let name = restore(parts.next()?);
    let labels: Option<Vec<_>> = parts.map(|tag| tag.split_once('=')).collect();
    Series::new(name, labels?.into_iter().map(|(name, value)| (restore(name), restore(value)))).ok()
}

#[test]
fn totals_arrive_as_paths_directly_and_through_a_relay() {
    let Some(carbon) = require(Server::start("carbon", &[])) else { return };
    let Some(relay) = require(Server::start("carbon-c-relay", &[carbon.address()])) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..5);
    let direct = stream.start_sink(&sink(carbon.address(), ""));
    stream.expect(&direct, || read_records(&carbon));
    drop(direct);

    let mut stream = Stream::new();
    stream.publish_seconds(0..5);
    let through_relay = stream.start_sink(&sink(relay.address(), "template = 'relayed.{name}.{labels}'"));
    stream.expect(&through_relay, || {
        read(&carbon, "relayed.records.number.*", |target| {
            Series::new("records", [("number", target.rsplit_once('.').unwrap().1)]).unwrap()
        })
    });
}

#[test]
fn totals_arrive_as_tags() {
    let Some(carbon) = require(Server::start("carbon", &[])) else { return };
    let mut stream = Stream::new();
    for second in 0..3 {
        let hostile = [("topic", "a/b;c=d ~é"), ("name", "x")];
        stream.publish(second, [(Series::new("my.records", hostile).unwrap(), i128::from(second) + 5)]);
    }
    let sink = stream.start_sink(&sink(carbon.address(), "tags = true"));
    stream.expect(&sink, || read(&carbon, "seriesByTag('name=quipu.my.records')", |target| tagged(target).unwrap()));
}

#[test]
fn nothing_is_lost_if_a_server_is_absent_killed_or_hangs() {
    let Some(mut carbon) = require(Server::start("carbon", &[])) else { return };
    carbon.kill();
    let mut stream = Stream::new();
    stream.publish_seconds(0..5);
    let sink = stream.start_sink(&sink(carbon.address(), ""));
    sink.expect_log("the write to the target failed");
    carbon.restart();
    stream.expect(&sink, || read_records(&carbon));

    // What Carbon has not written to disk is lost with it. The sink has not committed it, so it writes it again.
    stream.publish_seconds(5..10);
    carbon.kill();
    stream.publish_seconds(10..15);
    carbon.restart();
    stream.expect(&sink, || read_records(&carbon));

    // The kernel keeps accepting lines for Carbon, longer than the settle time.
    carbon.hang();
    stream.publish_seconds(15..20);
    sink.expect_log("the peer did not read everything that was written");
    carbon.kill();
    carbon.restart();
    stream.expect(&sink, || read_records(&carbon));

    carbon.hang();
    stream.publish_seconds(20..25);
    sink.expect_status("failing", |status| status["failing"].is_string());
    carbon.resume();
    stream.expect(&sink, || read_records(&carbon));
}

#[test]
fn nothing_is_lost_if_a_relay_is_killed_or_hangs() {
    let Some(carbon) = require(Server::start("carbon", &[])) else { return };
    let Some(mut relay) = require(Server::start("carbon-c-relay", &[carbon.address()])) else { return };
    let mut stream = Stream::new();
    stream.publish_seconds(0..5);
    let sink = stream.start_sink(&sink(relay.address(), ""));
    stream.expect(&sink, || read_records(&carbon));

    relay.kill();
    stream.publish_seconds(5..10);
    sink.expect_status("failing", |status| status["failing"].is_string());
    relay.restart();
    stream.expect(&sink, || read_records(&carbon));

    relay.hang();
    stream.publish_seconds(10..15);
    sink.expect_log("the peer did not read everything that was written");
    relay.kill();
    relay.restart();
    stream.expect(&sink, || read_records(&carbon));
}
