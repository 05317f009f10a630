//! The requests to InfluxDB: the address, the credentials, and the number of lines.

use std::io::Write as _;

use quipu_record::Series;
use quipu_testkit::eventually;
use tempfile::NamedTempFile;

use crate::faults::{APIS, expect, sink};
use crate::scripted::{Reply, Scripted};
use crate::stream::Stream;

/// The first request of a sink that compresses its requests.
fn first_request(sink: &str, variables: &[(&str, &str)]) -> String {
    let server = Scripted::start(|_| Reply::Refuse(204, "", ""));
    let mut stream = Stream::new();
    stream.publish_seconds(0..1);
    let sink = format!("type = 'influxdb'\nurl = 'http://{}/'\n{sink}", server.address);
    let _sink = stream.start_sink_with(&sink, variables);
    eventually("a request", || server.seen().first().map(|seen| seen.head.clone()))
}

#[track_caller]
fn check(head: &str, path: &str, parameters: &[&str], authorization: &str) {
    let target = head.strip_prefix("POST ").unwrap().split(' ').next().unwrap();
    let (asked, query) = target.split_once('?').unwrap();
    let mut query: Vec<_> = query.split('&').collect();
    query.sort_unstable();
    assert_eq!((asked, &*query), (path, parameters), "{head}");
    let lines: Vec<_> = head.lines().map(str::to_ascii_lowercase).collect();
    for header in [format!("authorization: {authorization}"), "content-encoding: gzip".to_owned()] {
        assert!(lines.contains(&header.to_ascii_lowercase()), "no {header} in {head}");
    }
}

#[test]
fn the_v2_api_gets_organization_bucket_and_a_token_from_the_environment() {
    let sink = "org = 'my org'\nbucket = 'b&c'\nsecret_variable = 'INFLUX_TOKEN'";
    let head = first_request(sink, &[("INFLUX_TOKEN", "hunter2")]);
    check(&head, "/api/v2/write", &["bucket=b%26c", "org=my+org", "precision=ms"], "Token hunter2");
}

#[test]
fn the_v1_api_gets_database_user_and_a_password_from_a_file() {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"hunter2\n").unwrap();
    let sink = format!(
        "database = 'd'\nretention_policy = 'two weeks'\nuser = 'u'\nsecret_file = '{}'",
        file.path().to_str().unwrap()
    );
    let head = first_request(&sink, &[]);
    check(&head, "/write", &["db=d", "precision=ms", "rp=two+weeks"], "Basic dTpodW50ZXIy");
}

#[test]
fn a_body_has_at_most_as_many_lines_as_configured() {
    for (api, more, most) in [(APIS[0], "", 64), (APIS[1], "", 64), (APIS[0], "\nbatch = 5000", 5000)] {
        let server = Scripted::start(|_| Reply::Accept);
        let mut stream = Stream::new();
        let number = |at: i64| Series::new("records", [("number", at.to_string())]).unwrap();
        stream.publish(1, (0..12_000).map(|at| (number(at), i128::from(at))));
        let text = sink(&server, api);
        let text = if more.is_empty() { text } else { text.replace("\nbatch = 64", more) };
        let sink = stream.start_sink(&text);
        expect(&stream, &sink, &server);
        let largest = server.seen().iter().map(|seen| seen.lines).max();
        assert!(largest <= Some(most) && largest >= Some(most / 2), "{largest:?} of {most}");
    }
}
