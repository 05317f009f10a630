//! How an aggregator ends, and what its successor finds.

use std::thread;

use quipu_testkit::{Aggregator, Kafka, Pipeline, Stop, eventually, plain, require};

use crate::QUIPU;

/// Nothing is committed meanwhile, unless something else makes it.
const NEVER: [&str; 2] = ["--set", "commit_interval=1m"];
/// Has the aggregator's own first report in it.
const APPLIED: &str = r#"quipu_records_total{outcome="applied"}"#;

/// What one instance counted before all others.
const EARLIER: u64 = 1_000_000;

#[test]
fn what_was_read_before_sigterm_is_published() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&NEVER);
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
fn a_second_signal_ends_it_at_once() {
    let Some(kafka) = require(Kafka::start()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&NEVER);
    pipeline.send([("app-1:done", plain("done", 1))]);
    aggregator.until_measured(APPLIED, 2);
    // It can't commit without a broker, so it can't end in order either.
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
fn a_killed_aggregator_goes_on_where_an_outsider_saw_it_last() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    // Under a name within the group, so that it need not wait for the group to take its predecessor for dead.
    let options = ["--set", "commit_interval=20ms", "--set", "group_instance_id=the-one"];
    let start = || pipeline.start_ready(&options);
    let first = start();
    let mut outsider = pipeline.outsider();
    // Said once, and long ago when the last one starts.
    pipeline.send([("app-0:done", plain("done", EARLIER))]);
    let stop = Stop::default();

    let (sent, last) = thread::scope(|scope| {
        let guard = stop.guard();
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !stop.is_told() {
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
fn of_two_aggregators_one_waits_and_takes_over() {
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
    // The group may have given the partition to the one who came last.
    let ready = |aggregator: &Aggregator| aggregator.get("/readyz").map(|(status, _)| status == 200);
    let first_works = eventually("one to work and the other one to wait", || match (ready(&first)?, ready(&second)?) {
        (first, second) if first != second => Some(first),
        _ => None,
    });
    let (working, waiting) = if first_works { (first, second) } else { (second, first) };

    working.signal("KILL");
    working.finish();
    pipeline.send([("app-2:done", plain("done", 100))]);
    waiting.until_ready();
    outsider.until(&[("done", 111)]);
    waiting.stop();
    assert_eq!(outsider.went_back(), [""; 0]);
}

#[test]
fn of_two_with_one_group_instance_id_the_first_ends_and_says_why() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    // With transactions it may also be the producer that learns of it.
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
