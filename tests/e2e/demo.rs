//! The experiment with its output in a pipe.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use quipu_testkit::{Cluster, Kafka, Process, eventually, require, with_hangup};
use serde_json::Value;

use crate::QUIPU;

const RECORDS: u64 = 20_000;
/// An experiment that lasts longer than a test that ends it.
const LONG: [&str; 5] = ["demo", "--records", "400000", "--rate", "5000"];

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
    let watched = QUIPU.start(&[&LONG[..], &["--brokers", kafka.bootstrap()]].concat());
    assert_can_be_watched(&watched);
    watched.signal("TERM");
    assert_eq!(watched.finish().status.code(), Some(130));
    let left: BTreeSet<String> = Cluster::new(kafka.bootstrap()).topics().into_keys().collect();
    assert!(left.iter().all(|topic| topic.starts_with("__")), "{left:?}");
}

#[test]
fn the_experiment_on_the_embedded_broker_can_be_watched_from_another_terminal() {
    assert_can_be_watched(&QUIPU.start(&LONG));
}

/// The embedded broker runs in the process that is paused. It then loses the request of app-1 to join the group again.
#[expect(clippy::disallowed_methods, reason = "what the broker does while it is paused can't be seen")]
#[test]
fn a_pause_of_the_embedded_broker_during_a_rebalance_does_not_stop_the_experiment() {
    let demo = QUIPU.start(&["demo", "--records", &RECORDS.to_string()]);
    wait_for(&demo, "app-2 stops");
    // After 0.2 s app-1 sends its request, and the broker answers after 2.6 s.
    thread::sleep(Duration::from_secs(1));
    demo.signal("STOP");
    thread::sleep(Duration::from_secs(4));
    demo.signal("CONT");
    let finished = demo.finish();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
}

#[test]
fn a_hangup_ends_the_experiment_with_its_programs_and_removes_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let count = |folder: &Path| folder.read_dir().unwrap().count();
    let mut command = QUIPU.command();
    command.args(LONG).env("TMPDIR", folder.path());
    let demo = Process::spawn(with_hangup(&command), "");
    wait_for(&demo, "app-1 starts");
    let programs = Command::new("pgrep").args(["-P", &demo.id().to_string()]).output().unwrap();
    let programs = String::from_utf8(programs.stdout).unwrap();
    assert_eq!((programs.lines().count(), count(folder.path())), (2, 1));

    demo.signal("HUP");
    // A terminal that closes can send the signal twice.
    demo.signal("HUP");
    let finished = demo.finish();
    assert_eq!(finished.status.code(), Some(130), "{finished:?}");
    assert!(finished.stderr.contains("partial and were not checked"), "{finished:?}");
    assert_eq!(count(folder.path()), 0);
    let running = |program: &&str| Command::new("kill").args(["-s", "0", program]).output().unwrap().status.success();
    assert_eq!(programs.lines().find(running), None);
}

#[test]
fn an_experiment_that_was_started_with_nohup_ignores_a_hangup() {
    let mut command = Command::new("nohup");
    command.arg(QUIPU.command().get_program()).args(LONG).env_remove("QUIPU_LOG");
    let demo = Process::spawn(command, "");
    wait_for(&demo, "app-1 starts");
    demo.signal("HUP");
    let lines = demo.stderr_so_far().lines().count();
    eventually("more progress", || (demo.stderr_so_far().lines().count() > lines + 2).then_some(()));
    assert!(!demo.stderr_so_far().contains("interrupted"), "{}", demo.stderr_so_far());
    demo.signal("TERM");
    assert_eq!(demo.finish().status.code(), Some(130));
}

/// Waits until the experiment prints this text.
#[track_caller]
fn wait_for(demo: &Process, text: &str) {
    eventually(text, || demo.stderr_so_far().contains(text).then_some(()));
}

/// Runs the command that the experiment prints for another terminal until it shows the totals.
#[track_caller]
fn assert_can_be_watched(demo: &Process) {
    let command = eventually("the command", || {
        let stderr = demo.stderr_so_far();
        stderr.lines().find(|line| line.contains(" top --brokers ")).map(|line| format!("{line} --once"))
    });
    eventually("the totals", || {
        let shown = Command::new("sh").args(["-c", &command]).output().unwrap();
        String::from_utf8_lossy(&shown.stdout).contains("records_sent").then_some(())
    });
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
