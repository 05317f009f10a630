//! How an aggregator ends, and where its successor continues.

use std::thread;

use quipu_testkit::{Aggregator, Kafka, Pipeline, Stop, eventually, plain, require};

use crate::QUIPU;

/// A commit interval so long that only other reasons cause a commit.
const RARE_COMMITS: [&str; 2] = ["--set", "commit_interval=1m"];
/// This counter includes the aggregator's own first report.
const APPLIED: &str = r#"quipu_records_total{outcome="applied"}"#;

/// What an instance counted before all others start.
const EARLIER: u64 = 1_000_000;

#[test]
fn records_read_before_sigterm_are_published() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&RARE_COMMITS);
    pipeline.send((1..=500).map(|count| ("app-1:done", plain("done", count))));
    aggregator.until_measured(APPLIED, 501);
    let mut outsider = pipeline.outsider();
    outsider.read_to_end();
    assert_eq!(outsider.total("done"), None);
    let log = aggregator.stop();
    outsider.read_to_end();
    assert_eq!(outsider.total("done"), Some(500), "{log}");
}

#[test]
fn a_second_signal_ends_the_aggregator_at_once() {
    let Some(kafka) = require(Kafka::start()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&RARE_COMMITS);
    pipeline.send([("app-1:done", plain("done", 1))]);
    aggregator.until_measured(APPLIED, 2);
    // Without a broker it can't commit, so it can't end cleanly either.
    kafka.kill();
    aggregator.signal("TERM");
    aggregator.until_logged(&["a second signal"]);
    aggregator.signal("INT");
    let finished = aggregator.finish();
    assert_eq!(finished.status.code(), Some(130), "{finished:?}");

    kafka.restart();
    let aggregator = pipeline.start_ready(&[]);
    pipeline.outsider().until(&[("done", 1)]);
    aggregator.stop();
}

#[test]
fn a_killed_aggregator_continues_from_the_last_published_totals() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    // With a group_instance_id a restart need not wait for the session timeout of the killed process.
    let options = ["--set", "commit_interval=20ms", "--set", "group_instance_id=one"];
    let start = || pipeline.start_ready(&options);
    let first = start();
    let mut outsider = pipeline.outsider();
    // This record comes once, long before the last aggregator starts.
    pipeline.send([("app-0:done", plain("done", EARLIER))]);
    let stop = Stop::default();

    let (sent, last) = thread::scope(|scope| {
        let guard = stop.guard();
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !stop.is_set() {
                sent += 1;
                let instances = ["app-1:done", "app-2:done", "app-3:done"];
                pipeline.send(instances.map(|instance| (instance, plain("done", sent))));
            }
            sent
        });
        let (mut aggregator, mut seen) = (first, EARLIER.into());
        for _ in 0..2 {
            seen = outsider.until_beyond("done", seen);
            aggregator.signal("KILL");
            assert_eq!(aggregator.finish().status.code(), None);
            aggregator = start();
        }
        outsider.until_beyond("done", seen);
        drop(guard);
        (sender.join().unwrap(), aggregator)
    });
    let total = i128::from(EARLIER + sent * 3);
    outsider.until(&[("done", total)]);
    last.stop();
    outsider.read_to_end();
    assert_eq!(outsider.total("done"), Some(total));
    assert_eq!(outsider.went_back(), [""; 0]);
}

#[test]
fn of_two_aggregators_one_is_a_standby_and_takes_over() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let first = pipeline.start_ready(&[]);
    let mut outsider = pipeline.outsider();
    pipeline.send([("app-1:done", plain("done", 10))]);
    outsider.until(&[("done", 10)]);
    let second = pipeline.start(&[]);
    second.until_logged(&["joining the group"]);
    pipeline.send([("app-1:done", plain("done", 11))]);
    outsider.until(&[("done", 11)]);
    // The group may have assigned the partition to the second one.
    let ready = |aggregator: &Aggregator| aggregator.get("/readyz").map(|(status, _)| status == 200);
    let first_is_active =
        eventually("one to be active and the other one to be a standby", || match (ready(&first)?, ready(&second)?) {
            (first, second) if first != second => Some(first),
            _ => None,
        });
    let (active, standby) = if first_is_active { (first, second) } else { (second, first) };

    active.signal("KILL");
    active.finish();
    pipeline.send([("app-2:done", plain("done", 100))]);
    standby.until_ready();
    outsider.until(&[("done", 111)]);
    standby.stop();
    assert_eq!(outsider.went_back(), [""; 0]);
}

#[test]
fn of_two_with_one_group_instance_id_the_first_ends_with_an_error() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    // With transactions the producer might detect it first, and end with another error.
    let same = ["--set", "group_instance_id=one", "--set", "processing_guarantee=at_least_once"];
    let first = pipeline.start_ready(&same);
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = format!("state.dir={}", elsewhere.path().display());
    let second = pipeline.start(&[&same[..], &["--set", &folder]].concat());
    let ended = first.finish();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("each must have its own"), "{}", ended.stderr);
    second.until_ready();
    second.stop();
}
