//! Prometheus scrapes the totals of a running aggregator.

use std::io::Write as _;
use std::process::{Command, Stdio};

use quipu_testkit::configured::{Aggregator, EMBEDDED, broker, count};
use quipu_testkit::http::{encode, get, get_json, request};
use quipu_testkit::{Missing, Server, eventually, require};

use crate::QUIPU;

fn promtool() -> Result<(), Missing> {
    let missing = |_| Missing("no promtool: install it (Debian: apt-get install prometheus)".to_owned());
    Command::new("promtool").arg("--version").output().map(|_| ()).map_err(missing)
}

pub(crate) const COUNTERS: [(&str, &str, &str, u64); 5] = [
    ("a", "records_processed", r#"{"topic":"auth"}"#, 1 << 52),
    ("b", "records_processed", r#"{"topic":"auth"}"#, 5),
    ("c", "records_processed", r#"{"topic":"b\"\\\n é"}"#, 7),
    ("d", "records_sent", "{}", 3),
    ("e", "1 hostile\\n# TYPE x counter", r#"{"__name__":"y"}"#, 11),
];

#[test]
fn prometheus_scrapes_the_totals_and_promtool_reports_no_problem() {
    let Some(()) = require(promtool()) else { return };
    let broker = broker();
    let aggregator = Aggregator::start(QUIPU, &broker.bootstrap_servers(), EMBEDDED, "");
    let Some(prometheus) = require(Server::start("prometheus", &[&aggregator.address])) else { return };
    aggregator.count(&COUNTERS);
    aggregator.expect_total(r#"records_processed{topic="auth"}"#, (1 << 52) + 5);

    for (query, expected) in [
        (r#"records_processed_total{topic="auth"}"#, (1_u64 << 52) + 5),
        (r#"records_processed_total{topic="b\"\\\n é"}"#, 7),
        ("records_sent_total", 3),
        (r#"_x31_x20hostile_x0A_x23_x20TYPE_x20x_x20counter_total{_x5F_name__="y"}"#, 11),
    ] {
        let path = format!("/api/v1/query?query={}", encode(query));
        eventually(query, || {
            let answer = get_json(prometheus.address(), &path);
            (answer["data"]["result"][0]["value"][1].as_str()?.parse() == Ok(expected)).then_some(())
        });
    }

    // promtool would report the hostile names, which users chose and Quipu keeps.
    let text = get(&aggregator.address, "/metrics/totals");
    check(&(text.lines().filter(|line| !line.contains("hostile")).collect::<Vec<_>>().join("\n") + "\n"));
}

/// Expects that promtool reports no problem.
#[track_caller]
fn check(text: &str) {
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().unwrap();
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    let problems = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && problems.trim().is_empty(), "{problems}\n{text}");
}

#[test]
fn promtool_reports_no_problem_of_the_aggregators_own_metrics() {
    let Some(()) = require(promtool()) else { return };
    let broker = broker();
    let sinks = "[[sink]]\nname = 'lines'\ntype = 'stdout'\n[[sink]]\nname = 'nobody'\ntype = 'graphite'\n\
                 address = '127.0.0.1:1'\n";
    let aggregator = Aggregator::start(QUIPU, &broker.bootstrap_servers(), EMBEDDED, sinks);
    aggregator.count(&COUNTERS);
    aggregator.expect_total(r#"records_processed{topic="auth"}"#, (1 << 52) + 5);
    let text = get(&aggregator.address, "/metrics");
    assert!(text.contains("quipu_build_info{version=\"") && text.contains("\nprocess_cpu_seconds_total "), "{text}");
    for name in ["quipu_sink_points_total", "quipu_sink_retries_total", "quipu_sink_lag"] {
        assert!(text.contains(&format!("{name}{{sink=\"nobody\"}}")), "no {name} in {text}");
    }
    check(&text);
}

#[test]
fn the_first_scrape_has_all_totals() {
    const KEYS: usize = 20_000;
    let broker = broker();
    let keys: Vec<_> = (0..KEYS).map(|key| key.to_string()).collect();
    let counters: Vec<_> = keys.iter().map(|key| (key.as_str(), "records", "{}", 1)).collect();
    count(&broker.bootstrap_servers(), &counters);
    for _ in 0..2 {
        let aggregator = Aggregator::start(QUIPU, &broker.bootstrap_servers(), EMBEDDED, "");
        let text = loop {
            match request("GET", &aggregator.address, "/metrics/totals", "").unwrap() {
                (200, text) => break text,
                (status, text) => assert_eq!(status, 503, "{text}"),
            }
        };
        assert!(text.contains(&format!("\nrecords_total {KEYS}\n")), "{text}");
    }
}
