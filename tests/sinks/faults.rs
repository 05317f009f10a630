//! Every way in which a server can fail: nothing is lost to any of them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use quipu_record::Series;
use quipu_testkit::eventually;

use crate::scripted::{Reply, Scripted};
use crate::stream::{Points, Sink, Stream};

/// Both of InfluxDB's APIs, uncompressed so that the server can look at the lines.
pub(crate) const APIS: [&str; 2] = ["bucket = 'b'\norg = 'o'", "database = 'd'"];

pub(crate) fn sink(server: &Scripted, api: &str) -> String {
    format!("type = 'influxdb'\nurl = 'http://{}'\n{api}\ngzip = false\ntimeout = '2s'\nbatch = 64", server.address)
}

/// Waits until the server has exactly what was published last.
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

/// Streams through a server whose second request, and some after it, fail.
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
fn nothing_is_lost_to_an_unavailable_server() {
    fails(|| {
        let mut requests = 0;
        Scripted::start(move |_| {
            requests += 1;
            if (2..5).contains(&requests) { Reply::Refuse(503, "", "busy") } else { Reply::Accept }
        })
    });
}

#[test]
fn nothing_is_lost_to_a_reset_in_the_middle_of_a_body() {
    fails(|| Scripted::start_with_resets(2..4, |_| Reply::Accept));
}

#[test]
fn a_server_that_asks_for_patience_is_left_alone_for_that_long() {
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
        let first = seen.iter().find(|seen| seen.taken).unwrap().at;
        assert!(first - seen[0].at >= Duration::from_secs(2), "{seen:?}");
        // A write of nothing may ask how long; lines are not sent meanwhile.
        let early = seen[1..].iter().filter(|seen| !seen.taken && seen.bytes > 0).count();
        assert_eq!(early, 0, "{seen:?}");
    }
}

#[test]
fn of_a_partial_write_the_bad_line_is_found_and_told() {
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
fn a_server_that_does_not_answer_is_not_waited_for_for_ever() {
    for api in APIS {
        let mut requests = 0;
        let server = Scripted::start(move |_| {
            requests += 1;
            if requests == 2 { Reply::Silence } else { Reply::Accept }
        });
        let mut stream = Stream::new();
        stream.publish_seconds(0..3);
        let sink = stream.start_sink(&sink(&server, api));
        expect(&stream, &sink, &server);
        sink.expect_log("operation timed out");
    }
}

#[test]
fn a_wrong_configuration_and_a_proxy_in_the_way_cost_nothing() {
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
fn a_peer_that_takes_bytes_and_never_reads_them_is_asked_less_and_less() {
    // The kernel takes connections for it.
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
    // The first wait is 250 ms at most.
    eventually("longer waits", || waits(sink.said()).iter().any(|wait| *wait > 1000).then_some(()));
}

#[test]
fn a_sink_that_is_started_again_goes_on_where_the_server_had_accepted() {
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
    // Two seconds, of which corrections in one batch are left out: less than all four would be.
    assert!(bytes < one_second * 5, "{bytes} bytes: it began from the beginning");
}
