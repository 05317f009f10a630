//! Cases that the original system got wrong: restarts, several metrics of one instance, and tombstones.

use quipu_testkit::{Kafka, Pipeline, plain, report, require, run};

use crate::QUIPU;

#[test]
fn a_restarted_instance_never_lowers_a_total() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    // With this timeout no run becomes silent, however slow the machine is.
    let aggregator = pipeline.start_ready(&["--set", "instance_timeout=1h"]);
    let mut outsider = pipeline.outsider();

    pipeline.send([report("app-1", &run(1), 1, &[("done", 100)]), report("app-1", &run(1), 2, &[("done", 150)])]);
    outsider.until(&[("done", 150)]);
    pipeline.send([report("app-1", &run(2), 1, &[("done", 1)])]);
    outsider.until(&[("done", 151)]);
    // A program without the reporter also begins at zero again, under the same plain key.
    pipeline.send([("app-2:done", plain("done", 40)), ("app-2:done", plain("done", 2))]);
    outsider.until(&[("done", 193)]);
    // A late report is stale: the run's row is newer.
    pipeline.send([report("app-1", &run(1), 1, &[("done", 100)]), report("app-1", &run(2), 2, &[("done", 5)])]);
    outsider.until(&[("done", 197)]);
    assert_eq!(outsider.latest()["done"].instances, 3);
    assert_eq!(outsider.went_back(), [""; 0]);
    aggregator.stop();
}

#[test]
fn two_metrics_of_one_instance_do_not_disturb_each_other() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let mut outsider = pipeline.outsider();

    pipeline.send((1..=50).map(|seq| report("app-1", &run(1), seq, &[("done", seq * 2), ("failed", seq)])));
    pipeline.send([report("app-2", &run(2), 1, &[("failed", 7), ("done", 1000)])]);
    outsider.until(&[("done", 1100), ("failed", 57)]);
    pipeline.send([("app-3:done", plain("done", 1)), ("app-3:failed", plain("failed", 1))]);
    outsider.until(&[("done", 1101), ("failed", 58)]);
    assert_eq!(outsider.totals().len(), 2);
    assert_eq!(outsider.went_back(), [""; 0]);
    aggregator.stop();
}

#[test]
fn a_tombstone_subtracts_what_its_row_contributed() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let mut outsider = pipeline.outsider();

    let (key, value) = report("app-1", &run(1), 1, &[("done", 100), ("failed", 3)]);
    pipeline.send([(key.clone(), value), report("app-2", &run(2), 1, &[("done", 20)])]);
    outsider.until(&[("done", 120), ("failed", 3)]);
    pipeline.cluster.produce(&pipeline.metrics, [(Some(&key), None::<&str>), (Some(&"nobody".to_owned()), None)]);
    outsider.until(&[("done", 20), ("failed", 0)]);
    outsider.read_to_end();
    assert!(outsider.is_removed("failed") && !outsider.is_removed("done"));
    aggregator.stop();
    // After a restart of the aggregator, the row that is left still counts once.
    let aggregator = pipeline.start_ready(&[]);
    pipeline.send([report("app-2", &run(2), 2, &[("done", 21)])]);
    outsider.until(&[("done", 21), ("failed", 0)]);
    let log = aggregator.stop();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}
