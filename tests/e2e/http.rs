//! The aggregator's own metrics and health.

use std::net::TcpListener;

use quipu_testkit::{Kafka, Pipeline, eventually, plain, require};

use crate::QUIPU;

#[test]
fn the_aggregator_serves_its_health_and_counts_its_own_work() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let mut outsider = pipeline.outsider();
    pipeline.send([
        ("app-1:done", plain("done", 1)),
        ("app-1:done", plain("done", 2)),
        ("app-1:done", plain("done", 2)),
    ]);
    pipeline.send([("app-1:done", "no counter")]);

    assert_eq!(aggregator.get("/healthz"), Some((200, "ok\n".to_owned())));
    assert_eq!(aggregator.get("/readyz"), Some((200, "ready\n".to_owned())));
    assert_eq!(aggregator.get("/nowhere").map(|(status, _)| status), Some(404));
    aggregator.until_measured(r#"quipu_bad_records_total{reason="invalid_json"}"#, 1);
    let (_, metrics) = aggregator.get("/metrics").unwrap();
    for line in ["# TYPE quipu_records_total counter", "# TYPE quipu_source_lag gauge", "quipu_ready 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }

    // The aggregator also publishes these counters as totals.
    outsider.until(&[(r#"quipu_bad_records_total{reason="invalid_json"}"#, 1)]);
    outsider.until_beyond(r#"quipu_records_total{outcome="applied"}"#, 2);
    aggregator.stop();
}

#[test]
fn a_busy_port_is_an_error_that_names_the_flag() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    let finished = QUIPU.start(&["aggregate", "--brokers", "127.0.0.1:1", "--http", &address]).finish();

    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    let error = finished.stderr.lines().next_back().unwrap();
    assert!(error.starts_with("error: ") && error.contains(&address) && error.contains("--http"), "{error}");
}

#[test]
fn a_host_name_is_resolved_and_one_that_does_not_resolve_is_an_error_that_names_the_key() {
    let arguments = |http| ["aggregate", "--brokers", "127.0.0.1:1", "--http", http];
    let process = QUIPU.start(&arguments("localhost:0"));
    eventually("the address of localhost", || {
        let log = process.stderr_so_far();
        let line = log.lines().find(|line| line.contains("serving HTTP"))?;
        (line.contains("address=127.0.0.1:") || line.contains("address=[::1]:")).then_some(())
    });
    process.signal("TERM");
    assert_eq!(process.finish().status.code(), Some(0));

    // No name in .invalid resolves.
    let finished = QUIPU.start(&arguments("quipu.invalid:9464")).finish();
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    let error = finished.stderr.lines().next_back().unwrap();
    assert!(error.contains("quipu.invalid:9464") && error.contains("http.listen"), "{error}");
}
