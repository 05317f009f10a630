//! The query API of a running aggregator.

use quipu_testkit::configured::{Aggregator, EMBEDDED, TOKEN, broker};
use quipu_testkit::http::{encode, get, get_json, request, request_with};
use serde_json::{Value, json};

use crate::QUIPU;
use crate::prometheus::COUNTERS;

#[test]
fn the_query_api_returns_totals_instances_audits_and_status() {
    let broker = broker();
    let aggregator = Aggregator::start(QUIPU, &broker.bootstrap_servers(), EMBEDDED, "");
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
}

#[test]
fn requests_are_bounded_and_change_nothing() {
    let broker = broker();
    let aggregator = Aggregator::start(QUIPU, &broker.bootstrap_servers(), EMBEDDED, "");
    aggregator.count(&COUNTERS);
    aggregator.expect_total("records_sent", 3);
    let long = format!("/api/v1/totals?match={}", "a".repeat(1 << 20));
    for (path, expected) in [
        ("/api/v1/totals?limit=0", &[400][..]),
        ("/api/v1/totals?limit=10000", &[200]),
        ("/api/v1/totals?limit=10001", &[400]),
        ("/api/v1/totals?limit=-1", &[400]),
        ("/api/v1/totals?mach=a", &[400]),
        ("/api/v1/totals?match=a%7B", &[400]),
        ("/api/v1/instances?limit=10000", &[200]),
        ("/api/v1/instances?limit=10001", &[400]),
        ("/api/v1/instances?after=x", &[400]),
        ("/api/v1/audit?audit=auth", &[400]),
        ("/api/v1/status?verbose", &[400]),
        ("/api/v1/other", &[404]),
        (&long, &[400, 414, 431]),
    ] {
        let (status, body) = request("GET", &aggregator.address, path, "").unwrap();
        assert!(expected.contains(&status), "{}: {status} {body}", &path[..path.len().min(80)]);
        // The error names the parameter and what is allowed.
        let parameter = path.split_once('?').and_then(|(_, query)| query.split(['=', '&']).next());
        if let (400, Some(parameter)) = (status, parameter) {
            let error: Value = serde_json::from_str(&body).unwrap();
            let error = error["error"].as_str().unwrap();
            assert!(error.starts_with(&format!("{parameter}: ")), "{path}: {error}");
            assert!(error.contains("allowed: ") || error.contains("this route has"), "{path}: {error}");
        }
    }
    for path in ["totals", "instances", "audit", "status"] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let (status, _) = request(method, &aggregator.address, &format!("/api/v1/{path}"), "").unwrap();
            assert_eq!(status, 405, "{method} {path}");
        }
    }
    aggregator.expect_total("records_sent", 3);
}

#[test]
fn the_page_at_the_root_links_what_is_served() {
    let broker = broker();
    let aggregator = Aggregator::start(QUIPU, &broker.bootstrap_servers(), EMBEDDED, "");
    aggregator.count(&COUNTERS);
    aggregator.expect_total("records_sent", 3);
    let page = get(&aggregator.address, "/");
    let links: Vec<_> = page.split("href=\"/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(links.len() >= 8, "{page}");
    for link in links {
        // Only this one needs a parameter, and its answer says so.
        let expected = if link == "api/v1/explain" { 400 } else { 200 };
        let (status, body) = request("GET", &aggregator.address, &format!("/{link}"), "").unwrap();
        assert_eq!(status, expected, "{link}: {body}");
    }
}

#[test]
fn nothing_is_served_before_all_totals_are_available() {
    // Nobody listens at this address, so the log can't be read.
    let aggregator = Aggregator::start(QUIPU, "127.0.0.1:1", EMBEDDED, "");
    for (path, expected) in [
        ("/metrics/totals", 503),
        ("/api/v1/totals", 503),
        ("/api/v1/instances", 503),
        ("/api/v1/audit", 503),
        ("/readyz", 503),
        ("/healthz", 200),
        ("/metrics", 200),
        ("/api/v1/status", 200),
    ] {
        assert_eq!(request("GET", &aggregator.address, path, "").unwrap().0, expected, "{path}");
    }
    assert_eq!(get_json(&aggregator.address, "/api/v1/status")["ready"], false);
}

#[test]
fn a_token_protects_totals_and_api_but_not_health() {
    let broker = broker();
    let aggregator = Aggregator::start(QUIPU, &broker.bootstrap_servers(), EMBEDDED, "[http]\ntoken_file = 'TOKEN'");
    for (path, protected) in
        [("/healthz", false), ("/metrics", false), ("/metrics/totals", true), ("/api/v1/status", true)]
    {
        let (status, _) = request("GET", &aggregator.address, path, "").unwrap();
        assert_eq!(status == 401, protected, "{path}: {status}");
    }
    let header = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let ask = |token| request_with("GET", &aggregator.address, "/api/v1/status", &header(token), "").unwrap().0;
    assert_eq!((ask(TOKEN), ask("hunter"), ask("")), (200, 401, 401));
}
