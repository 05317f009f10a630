//! Calls that never return: the process detects them, logs them, and lets a standby take over.

use std::fs;
use std::path::Path;
use std::process::Command;

use quipu_testkit::{Aggregator, Frozen, Kafka, Pipeline, eventually, plain, require};

use crate::QUIPU;

/// The exit code of a process that ended because a call did not return.
const STALLED: Option<i32> = Some(75);

#[test]
fn a_producer_that_hangs_is_replaced_and_the_totals_continue() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let mut outsider = pipeline.outsider();
    pipeline.send([("app-1:done", plain("done", 10))]);
    outsider.until(&[("done", 10)]);
    // The producer of the totals is the newest client, made at the assignment. Heartbeats are sent by another client,
    // which keeps running.
    let Some(_frozen) = require(Frozen::newest_client(aggregator.id())) else {
        return;
    };
    pipeline.send([("app-1:done", plain("done", 11))]);
    aggregator.until_logged(&["ERROR", "the kafka client did not return from a call", "call=\"begin_transaction\""]);
    outsider.until(&[("done", 11)]);
    aggregator.stop();
    assert_eq!(outsider.went_back(), [""; 0]);
    pipeline.verify();
}

#[test]
fn a_process_whose_clients_hang_is_not_ready_and_ends_and_a_standby_takes_over() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let standby = pipeline.start(&[]);
    let mut outsider = pipeline.outsider();
    pipeline.send([("app-1:done", plain("done", 10))]);
    outsider.until(&[("done", 10)]);
    let (active, standby) = active_and_standby(aggregator, standby);
    let Some(_frozen) = require(Frozen::all_clients(active.id())) else {
        return;
    };
    pipeline.send([("app-1:done", plain("done", 11))]);
    eventually("the process to be unready", || active.get("/readyz").filter(|(status, _)| *status == 503));
    let (_, metrics) = active.get("/metrics").unwrap();
    assert!(metrics.lines().any(|line| line == "quipu_ready 0"), "{metrics}");
    standby.until_ready();
    outsider.until(&[("done", 11)]);
    let ended = active.finish();
    assert_eq!(ended.status.code(), STALLED, "{}", ended.stderr);
    assert!(ended.stderr.contains("did not return from"), "{}", ended.stderr);
    standby.stop();
    assert_eq!(outsider.went_back(), [""; 0]);
    pipeline.verify();
}

#[test]
fn a_disk_that_hangs_ends_the_process() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let disk = tempfile::tempdir().unwrap();
    let folder = format!("state.dir={}", disk.path().display());
    let settings = ["--set", "state.store=rocksdb", "--set", &folder, "--set", "watchdog=30s"];
    pipeline.start_ready(&settings).stop();
    // Opening the pipe blocks until there is a writer, like a disk that does not answer.
    replace_by_pipe(&disk.path().join(&pipeline.application_id).join("CURRENT"));
    let aggregator = pipeline.start(&settings);
    aggregator.until_logged(&["ERROR", "the task makes no step", "loading the store"]);
    let ended = aggregator.finish();
    assert_eq!(ended.status.code(), STALLED, "{}", ended.stderr);
    let error = ended.stderr.lines().next_back().unwrap();
    assert!(error.contains("no step for 30 s") && error.contains("loading the store"), "{error}");
}

fn replace_by_pipe(file: &Path) {
    fs::remove_file(file).unwrap();
    assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
}

/// Returns the active aggregator and the standby: the group may have assigned the partition to the second one.
fn active_and_standby(first: Aggregator, second: Aggregator) -> (Aggregator, Aggregator) {
    second.until_logged(&["joining the group"]);
    let is_ready = |aggregator: &Aggregator| aggregator.get("/readyz").map(|(status, _)| status == 200);
    let first_is_active = eventually("one to be active", || match (is_ready(&first)?, is_ready(&second)?) {
        (first, second) if first != second => Some(first),
        _ => None,
    });
    if first_is_active { (first, second) } else { (second, first) }
}
