//! The state on disk: a full disk, a folder used by two processes, and fenced processes.

use std::path::{Path, PathBuf};

use quipu_testkit::{DEADLINE, Kafka, Pipeline, plain, require};
use rdkafka::producer::Producer as _;

use crate::QUIPU;

/// The settings of an aggregator that keeps its store in this folder.
fn on(folder: &Path) -> [String; 2] {
    ["state.store=rocksdb".to_owned(), format!("state.dir={}", folder.display())]
}

fn set(settings: &[String; 2]) -> [&str; 4] {
    ["--set", &settings[0], "--set", &settings[1]]
}

#[test]
fn a_full_disk_ends_the_aggregator_cleanly_and_loses_nothing() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let disk = tempfile::tempdir().unwrap();
    let (settings, rows) = (on(disk.path()), 20_000);
    let aggregator = pipeline.start_on_a_small_disk(1_000, &set(&settings));
    aggregator.until_ready();
    pipeline.send((0..rows).map(|row| (format!("app-{row}:done"), plain("done", 7))));
    let finished = aggregator.finish();
    assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("the disk is full: free some space and start again"), "{}", finished.stderr);

    // With room on the disk it continues from its own store.
    let aggregator = pipeline.start_ready(&set(&settings));
    assert!(!aggregator.log().contains("moved"), "nothing is damaged: {}", aggregator.log());
    pipeline.outsider().until(&[("done", 7 * i128::from(rows))]);
    aggregator.stop();
    pipeline.verify();
}

#[test]
fn a_damaged_store_is_moved_aside_and_read_again_from_the_changelog() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let disk = tempfile::tempdir().unwrap();
    let settings = on(disk.path());
    let mut outsider = None;
    for (count, damaged) in [(10, false), (11, true), (12, true)] {
        let aggregator = pipeline.start_ready(&set(&settings));
        assert_eq!(aggregator.log().contains("the state store is moved aside"), damaged, "{}", aggregator.log());
        pipeline.send([("app-1:done", plain("done", count))]);
        outsider.get_or_insert_with(|| pipeline.outsider()).until(&[("done", i128::from(count))]);
        aggregator.stop();
        let store = disk.path().join(&pipeline.application_id);
        let files: Vec<_> = std::fs::read_dir(store).unwrap().map(|file| file.unwrap().path()).collect();
        let is_manifest = |file: &&PathBuf| file.to_string_lossy().contains("MANIFEST-");
        assert!(files.iter().any(|file| is_manifest(&file)), "{files:?}");
        for manifest in files.iter().filter(is_manifest) {
            std::fs::remove_file(manifest).unwrap();
        }
    }
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 3);
    assert_eq!(outsider.unwrap().went_back(), [""; 0]);
    pipeline.verify();
}

#[test]
fn a_process_that_lost_its_partition_publishes_nothing() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let disks = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let settings = [on(disks[0].path()), on(disks[1].path())];
    let first = pipeline.start_ready(&set(&settings[0]));
    pipeline.send([("app-1:done", plain("done", 10))]);
    let mut outsider = pipeline.outsider();
    outsider.until(&[("done", 10)]);
    first.signal("STOP");

    // A process that uses the same folder is refused.
    let finished = pipeline.start(&set(&settings[0])).finish();
    assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("another process uses this folder: give each its own"), "{}", finished.stderr);

    let second = pipeline.start_ready(&set(&settings[1]));
    pipeline.send([("app-1:done", plain("done", 11))]);
    outsider.until(&[("done", 11)]);
    first.signal("CONT");
    first.until_logged(&["the partition was revoked"]);
    pipeline.send([("app-2:done", plain("done", 100))]);
    outsider.until(&[("done", 111)]);
    // The active aggregator continues after the other one has ended.
    first.stop();
    pipeline.send([("app-2:done", plain("done", 101))]);
    outsider.until(&[("done", 112)]);
    second.stop();
    assert_eq!(outsider.went_back(), [""; 0]);
    pipeline.verify();
}

#[test]
fn a_fenced_process_ends_and_its_uncommitted_totals_are_not_seen() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let fenced = pipeline.start_ready(&[]);
    pipeline.send([("app-1:done", plain("done", 10))]);
    let mut outsider = pipeline.outsider();
    outsider.until(&[("done", 10)]);
    // Another producer uses the aggregator's transactional id, which fences the aggregator.
    let transactional_id = format!("{}-0", pipeline.application_id);
    let other = pipeline.cluster.producer(&[("transactional.id", &transactional_id)]);
    other.init_transactions(DEADLINE).unwrap();
    pipeline.send([("app-1:done", plain("done", 11))]);
    let finished = fenced.finish();
    assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("fenced: another process with the same application_id"), "{}", finished.stderr);
    outsider.read_to_end();
    assert_eq!(outsider.total("done"), Some(10));

    let next = pipeline.start_ready(&[]);
    outsider.until(&[("done", 11)]);
    next.stop();
}

#[test]
fn a_state_without_a_position_is_taken_over_with_the_groups_offset() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let topics = ["metrics", "metrics-agg", "metrics-state", "metrics-dlq"];
    for topic in topics {
        pipeline.cluster.create_topic(topic, 1, &[]);
    }
    // As an earlier version left it after two records: a row, and the position as the group's offset only.
    pipeline.send([("app-1:done", plain("done", 5)), ("app-1:done", "no counter".to_owned())]);
    let row = r#"{"v":1,"row":{"offset":0,"last_seen":0,"live":true,"kind":"plain","base":"0","timestamp":null},"counters":[{"name":"done","value":5}]}"#;
    pipeline.cluster.produce(&pipeline.state, [(Some("app-1:done"), Some(row))]);
    pipeline.cluster.commit(&pipeline.application_id, &pipeline.metrics, 2);
    pipeline.send([("app-1:done", plain("done", 7))]);

    let aggregator = pipeline.start_ready(&[]);
    pipeline.outsider().until(&[("done", 7)]);
    aggregator.stop();
    let copies = pipeline.cluster.read_to_end(&pipeline.dead_letters);
    assert!(copies.is_empty(), "the earlier version dealt with the bad record: {copies:?}");

    // From now on the position is in the changelog, and the group's offset has no effect.
    pipeline.cluster.commit(&pipeline.application_id, &pipeline.metrics, 0);
    pipeline.send([("app-1:done", plain("done", 8))]);
    let aggregator = pipeline.start_ready(&[]);
    pipeline.outsider().until(&[("done", 8)]);
    aggregator.stop();
    assert!(pipeline.cluster.read_to_end(&pipeline.dead_letters).is_empty());
    pipeline.verify();
}
