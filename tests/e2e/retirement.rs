//! Runs that expire, on a real broker.

use quipu_testkit::{Kafka, Pipeline, report, require, run};

use crate::QUIPU;

const RETENTION: [&str; 2] = ["--set", "retention.finished=1s"];

#[test]
fn an_expired_run_stays_in_the_totals_and_is_never_counted_twice() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&RETENTION);
    let (key, value) = report("app-1", &run(1), 1, &[("done", 7)]);
    let is_final = value.replace("\"final\":false", "\"final\":true,\"parts\":1");
    assert_ne!(is_final, value);
    pipeline.send([(&key, &is_final)]);
    // The aggregator's own reports let the log time pass.
    aggregator.until_measured("quipu_retired_runs_total", 1);
    let mut outsider = pipeline.outsider();
    outsider.until(&[("done", 7)]);
    aggregator.signal("KILL");
    aggregator.finish();

    // The next process knows the retired sum and the marker from the changelog.
    let aggregator = pipeline.start_ready(&RETENTION);
    pipeline.send([(key, is_final), report("app-1", &run(1), 2, &[("done", 9)])]);
    aggregator.until_measured("quipu_records_total{outcome=\"rebased\"}", 1);
    pipeline.send([report("app-1", &run(1), 3, &[("done", 12)])]);
    outsider.until(&[("done", 10)]);
    aggregator.stop();
    assert_eq!(outsider.total("done"), Some(10), "7 before it expired, and 3 after it came back");
    pipeline.verify_with(&RETENTION);
}
