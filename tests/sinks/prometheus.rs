//! The totals and the query API of a running aggregator, to Prometheus and to whoever asks.

use std::io::Write as _;
use std::process::{Command, Stdio};

use quipu_broker::EmbeddedBroker;
use serde_json::{Value, json};

use crate::aggregator::{Aggregator, TOKEN};
use crate::http::{encode, get, get_json, request, request_with};
use crate::server::Server;
use crate::support::{Missing, eventually, require};

/// What the embedded broker can't do.
const EMBEDDED: &str = "processing_guarantee = 'at_least_once'";

fn broker() -> EmbeddedBroker {
    let broker = EmbeddedBroker::start().unwrap();
    for topic in ["metrics", "metrics-agg", "metrics-state", "metrics-dlq"] {
        broker.create_topic(topic, 1).unwrap();
    }
    broker
}

fn promtool() -> Result<(), Missing> {
    let missing = |_| Missing("no promtool: install it (Debian: apt-get install prometheus)".to_owned());
    Command::new("promtool").arg("--version").output().map(|_| ()).map_err(missing)
}

const COUNTERS: [(&str, &str, &str, u64); 5] = [
    ("a", "records_processed", r#"{"topic":"auth"}"#, 1 << 52),
    ("b", "records_processed", r#"{"topic":"auth"}"#, 5),
    ("c", "records_processed", r#"{"topic":"b\"\\\n é"}"#, 7),
    ("d", "records_sent", "{}", 3),
    ("e", "1 hostile\\n# TYPE x counter", r#"{"__name__":"y"}"#, 11),
];

#[test]
fn prometheus_scrapes_the_totals_and_promtool_has_nothing_to_say() {
    let Some(()) = require(promtool()) else { return };
    let broker = broker();
    let aggregator = Aggregator::start(&broker.bootstrap_servers(), EMBEDDED, "");
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

    // The names above are not what Prometheus' guide recommends, but that is their authors' business.
    let text = get(&aggregator.address, "/metrics/totals");
    let text = text.lines().filter(|line| !line.contains("hostile")).collect::<Vec<_>>().join("\n") + "\n";
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().unwrap();
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}\n{text}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn the_query_api_tells_totals_instances_audits_and_status() {
    let broker = broker();
    let aggregator = Aggregator::start(&broker.bootstrap_servers(), EMBEDDED, "");
    aggregator.count(&COUNTERS);
    aggregator.expect_total(r#"records_processed{topic="auth"}"#, (1 << 52) + 5);

    let page = get_json(&aggregator.address, "/api/v1/totals?match=records_processed&limit=1");
    assert_eq!(page["totals"][0]["instances"], 2);
    assert_eq!(page["next"], r#"records_processed{topic="auth"}"#);
    let path = format!("/api/v1/totals?match=records_processed&after={}", encode(page["next"].as_str().unwrap()));
    let page = get_json(&aggregator.address, &path);
    assert_eq!((page["totals"].as_array().unwrap().len(), &page["next"]), (1, &Value::Null));

    let page = get_json(&aggregator.address, "/api/v1/instances");
    let keys: Vec<_> = page["instances"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect();
    for key in ["a", "b", "c", "d", "e"] {
        assert!(keys.contains(&key), "{keys:?}");
    }

    let audit = &get_json(&aggregator.address, "/api/v1/audit")["audits"][0];
    let processed = (1_i64 << 52) + 12;
    assert_eq!(*audit, json!({"name": "auth", "sent": 3, "processed": processed, "delta": processed - 3}));

    let status = get_json(&aggregator.address, "/api/v1/status");
    assert_eq!((&status["ready"], &status["application_id"]), (&json!(true), &json!("quipu")));
    for (path, expected) in [("/api/v1/totals?limit=0", 400), ("/api/v1/totals?mach=a", 400), ("/api/v1/other", 404)] {
        assert_eq!(request("GET", &aggregator.address, path, "").unwrap().0, expected, "{path}");
    }
    assert_eq!(request("POST", &aggregator.address, "/api/v1/totals", "").unwrap().0, 405);
}

#[test]
fn a_token_guards_totals_and_api_but_not_health() {
    let broker = broker();
    let aggregator = Aggregator::start(&broker.bootstrap_servers(), EMBEDDED, "[http]\ntoken_file = 'TOKEN'");
    for (path, guarded) in
        [("/healthz", false), ("/metrics", false), ("/metrics/totals", true), ("/api/v1/status", true)]
    {
        let (status, _) = request("GET", &aggregator.address, path, "").unwrap();
        assert_eq!(status == 401, guarded, "{path}: {status}");
    }
    let header = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let ask = |token| request_with("GET", &aggregator.address, "/api/v1/status", &header(token), "").unwrap().0;
    assert_eq!((ask(TOKEN), ask("hunter"), ask("")), (200, 401, 401));
}
