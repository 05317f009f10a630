//! The faults that a server can have; none of them loses a total.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use quipu_record::Series;
use quipu_testkit::eventually;

use crate::scripted::{Reply, Scripted};
use crate::stream::{Points, Sink, Stream};

/// The two APIs of InfluxDB. The requests are not compressed, so that the scripted server can parse the lines.
pub(crate) const APIS: [&str; 2] = ["bucket = 'b'\norg = 'o'", "database = 'd'"];

pub(crate) fn sink(server: &Scripted, api: &str) -> String {
    format!("type = 'influxdb'\nurl = 'http://{}'\n{api}\ngzip = false\ntimeout = '2s'\nbatch = 64", server.address)
}

/// Waits until the server has exactly the totals that were published last.
#[track_caller]
pub(crate) fn expect(stream: &Stream, sink: &Sink, server: &Scripted) {
    stream.expect(sink, || {
        let points = server.points().into_iter().map(|((series, time), fields)| {
            let number = series.strip_prefix("records,number=").unwrap().to_owned();
            let total = fields.strip_prefix("total=").unwrap().split_once('i').unwrap().0.parse().unwrap();
            ((Series::new("records", [("number", number)]).unwrap(), time.parse().unwrap()), total)
        });
        points.collect::<Points>()
    });
}

/// Publishes through a server that fails for some requests from the second one on.
fn fails(start: impl Fn() -> Scripted) {
    for api in APIS {
        let server = start();
        let mut stream = Stream::new();
        stream.publish_seconds(0..3);
        let sink = stream.start_sink(&sink(&server, api));
        stream.publish_seconds(3..8);
        expect(&stream, &sink, &server);
        sink.expect_log("the write to the target failed");
        sink.expect_status("accepting again", |status| status["retries"] != 0 && status["failing"].is_null());
    }
}

#[test]
fn nothing_is_lost_if_a_server_is_unavailable() {
    fails(|| {
        let mut requests = 0;
        Scripted::start(move |_| {
            requests += 1;
            if (2..5).contains(&requests) { Reply::Refuse(503, "", "busy") } else { Reply::Accept }
        })
    });
}

#[test]
fn nothing_is_lost_if_a_connection_is_reset_in_the_middle_of_a_body() {
    fails(|| Scripted::start_with_resets(2..4, |_| Reply::Accept));
}

#[test]
fn retry_after_is_respected() {
    for api in APIS {
        let mut until = None;
        let server = Scripted::start(move |_| {
            let until = *until.get_or_insert_with(|| Instant::now() + Duration::from_secs(2));
            if Instant::now() < until { Reply::Refuse(429, "Retry-After: 2\r\n", "") } else { Reply::Accept }
        });
        let mut stream = Stream::new();
        stream.publish_seconds(0..3);
        let sink = stream.start_sink(&sink(&server, api));
        expect(&stream, &sink, &server);
        let seen = server.seen();
        let first = seen.iter().find(|seen| seen.accepted).unwrap().at;
        assert!(first - seen[0].at >= Duration::from_secs(2), "{seen:?}");
        // The sink may send an empty request to find out whether the server accepts again, but no lines before the time
        // is over.
        let early = seen[1..].iter().filter(|seen| !seen.accepted && seen.bytes > 0).count();
        assert_eq!(early, 0, "{seen:?}");
    }
}

#[test]
fn the_bad_line_of_a_partial_write_is_found_and_logged() {
    for api in APIS {
        let server =
            Scripted::start(|body| if body.contains("poison") { Reply::Partial("poison") } else { Reply::Accept });
        let mut stream = Stream::new();
        stream.publish_seconds(0..2);
        let expected = stream.points.clone();
        stream.publish(1, [(Series::new("poison", [("a", "b")]).unwrap(), 1)]);
        stream.points = expected;
        stream.publish_seconds(2..4);
        let sink = stream.start_sink(&sink(&server, api));
        expect(&stream, &sink, &server);
        sink.expect_log("partial write: a bad line");
        sink.expect_status("one total rejected", |status| status["rejected"] == 1);
    }
}

#[test]
fn a_body_that_is_too_large_is_halved() {
    for api in APIS {
        let server = Scripted::start(|body| {
            if body.lines().count() > 20 { Reply::Refuse(413, "", "too large") } else { Reply::Accept }
        });
        let mut stream = Stream::new();
        stream.publish_seconds(0..2);
        let sink = stream.start_sink(&sink(&server, api));
        expect(&stream, &sink, &server);
    }
}

#[test]
fn a_request_without_an_answer_times_out() {
    for api in APIS {
        let mut requests = 0;
        let server = Scripted::start(move |_| {
            requests += 1;
            if requests == 2 { Reply::NoAnswer } else { Reply::Accept }
        });
        let mut stream = Stream::new();
        stream.publish_seconds(0..3);
        let sink = stream.start_sink(&sink(&server, api));
        expect(&stream, &sink, &server);
        sink.expect_log("operation timed out");
    }
}

#[test]
fn nothing_is_lost_to_a_wrong_configuration_or_a_proxy() {
    for (status, text) in [
        (401, r#"{"code":"unauthorized"}"#),
        (400, r#"{"code":"invalid","message":"Please provide either orgID or org"}"#),
        (400, r#"{"message":"no Route matched with those values"}"#),
        (400, "<html>no such host</html>"),
        (307, ""),
    ] {
        for api in APIS {
            let mut requests = 0;
            let server = Scripted::start(move |_| {
                requests += 1;
                if (2..4).contains(&requests) { Reply::Refuse(status, "", text) } else { Reply::Accept }
            });
            let mut stream = Stream::new();
            stream.publish_seconds(0..3);
            let sink = stream.start_sink(&sink(&server, api));
            expect(&stream, &sink, &server);
            sink.expect_log("the target refuses all writes; correct it or the sink's configuration");
            sink.expect_status("nothing rejected", |status| status["rejected"] == 0);
        }
    }
}

#[test]
fn a_peer_that_never_reads_is_retried_less_and_less_often() {
    // The kernel accepts connections for this listener.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap();
    let mut stream = Stream::new();
    stream.publish_seconds(0..2);
    let sink =
        stream.start_sink(&format!("type = 'graphite'\naddress = '{address}'\nsettle = '0s'\ntimeout = '100ms'"));
    let waits = |log: String| -> Vec<u64> {
        let waits = log.split("wait_ms=").skip(1);
        waits.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()).collect()
    };
    // The first wait is at most 250 ms.
    eventually("longer waits", || waits(sink.log()).iter().any(|wait| *wait > 1000).then_some(()));
}

#[test]
fn a_restarted_sink_continues_after_the_accepted_totals() {
    let server = Scripted::start(|_| Reply::Accept);
    let mut stream = Stream::new();
    stream.publish_seconds(0..2);
    let first = stream.start_sink(&sink(&server, APIS[0]));
    expect(&stream, &first, &server);
    first.stop();
    let before = server.seen().len();
    stream.publish_seconds(2..4);
    let second = stream.start_sink(&sink(&server, APIS[0]));
    expect(&stream, &second, &server);
    let bytes: usize = server.seen()[before..].iter().map(|seen| seen.bytes).sum();
    let one_second = "records,number=10 total=3021i,instances=2i 1718900012345\n".len() * 40;
    // The batches leave out corrected totals, so two seconds take fewer bytes than all four would.
    assert!(bytes < one_second * 5, "{bytes} bytes: the sink started from the beginning");
}
