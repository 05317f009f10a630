//! The experiment with its output in a pipe.

use std::collections::BTreeSet;

use quipu_testkit::{Cluster, Kafka, require};
use serde_json::Value;

use crate::QUIPU;

const RECORDS: u64 = 20_000;

#[test]
fn the_experiment_works_on_the_embedded_broker() {
    check(&[]);
}

#[test]
fn the_experiment_works_on_a_real_broker_and_deletes_its_topics() {
    // This broker is not shared, so that all its topics come from this test.
    let Some(kafka) = require(Kafka::start()) else {
        return;
    };
    check(&["--brokers", kafka.bootstrap()]);
    let left: BTreeSet<String> = Cluster::new(kafka.bootstrap()).topics().into_keys().collect();
    assert!(left.iter().all(|topic| topic.starts_with("__")), "{left:?}");
}

/// Runs the experiment with additional arguments; it must find duplicates and count them correctly.
#[track_caller]
fn check(arguments: &[&str]) {
    let records = RECORDS.to_string();
    let demo = [&["demo", "--records", &records, "--rate", "5000", "--output", "json"], arguments].concat();
    let finished = QUIPU.start(&demo).finish();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");

    let last = finished.stdout.lines().next_back().unwrap();
    let result: Value = serde_json::from_str(last).unwrap();
    let number = |field: &str| result[field].as_u64().unwrap_or_else(|| panic!("no whole {field} in {last}"));
    assert_eq!(number("sent"), RECORDS);
    assert!(number("duplicates") > 0, "{last}");
    assert_eq!(number("duplicates"), number("duplicates_by_record_id"));
    assert_eq!(number("lost_by_record_id"), 0);
    assert_eq!(number("processed"), RECORDS + number("duplicates"));
    assert_eq!(number("aggregate_records_processed"), number("processed"));
    assert!(result["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{last}");
    assert_eq!(result.as_object().unwrap().len(), 7, "{last}");

    // In a pipe, progress is printed as lines on standard error, without control sequences.
    assert!(finished.stderr.lines().filter(|line| line.contains("delta")).count() > 1, "{}", finished.stderr);
    assert!(!finished.stderr.contains(['\u{1b}', '\r']) && !finished.stdout.contains('\u{1b}'), "{finished:?}");
}
