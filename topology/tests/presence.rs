//! Which runs join, leave, and fall silent.

use quipu_record::{Millis, Offset};
use quipu_topology::{Events, Settings, SourceRecord, Topology};

const RUN: &str = "app-1/01920000-0000-7000-8000-000000000001";
const TIMEOUT: i64 = 1000;

fn topology() -> Topology {
    Topology::new(Settings {
        instance_timeout: Millis(TIMEOUT),
        refresh_interval: Millis(1_000_000),
        max_rows: 9,
        max_series: 9,
        audits: Vec::new(),
    })
}

/// Processes a run's report, the number of which is its offset too.
fn report(topology: &mut Topology, key: &str, seq: i64, now: i64, is_final: bool) {
    let run = &key[6..42];
    let value = format!(
        r#"{{"v":1,"instance":"app-1","run":"{run}","at":{now},"seq":{seq},"interval_ms":1000,"final":{is_final},"counters":[]}}"#
    );
    process(topology, key, Some(&value), seq, now);
}

fn process(topology: &mut Topology, key: &str, value: Option<&str>, offset: i64, now: i64) {
    let value = value.map(str::as_bytes);
    let record =
        SourceRecord { offset: Offset(offset), timestamp: Some(Millis(now)), key: Some(key.as_bytes()), value };
    topology.process(&record, Millis(now)).expect("a good record");
}

fn seen(topology: &mut Topology, now: i64) -> (usize, [usize; 3]) {
    topology.take_aggregates(Millis(now));
    let Events { joined, left, silent } = topology.take_events();
    (topology.live_runs(), [joined, left, silent])
}

#[test]
fn runs_join_fall_silent_return_and_leave() {
    let mut topology = topology();
    report(&mut topology, RUN, 1, 0, false);
    assert_eq!(seen(&mut topology, 0), (1, [1, 0, 0]));
    report(&mut topology, RUN, 2, 500, false);
    assert_eq!(seen(&mut topology, 500 + TIMEOUT), (1, [0, 0, 0]));
    assert_eq!(seen(&mut topology, 501 + TIMEOUT), (0, [0, 0, 1]));
    report(&mut topology, RUN, 3, 5000, false);
    assert_eq!(seen(&mut topology, 5000), (1, [1, 0, 0]));
    report(&mut topology, RUN, 4, 5001, true);
    assert_eq!(seen(&mut topology, 9000), (0, [0, 1, 0]));
    process(&mut topology, RUN, None, 5, 9000);
    assert_eq!(seen(&mut topology, 9000), (0, [0, 0, 0]));
}

#[test]
fn parts_and_plain_counters_are_no_runs() {
    let mut topology = topology();
    report(&mut topology, &format!("{RUN}/1"), 1, 0, false);
    process(&mut topology, "plain", Some(r#"{"name":"n","count":1}"#), 2, 0);
    assert_eq!(seen(&mut topology, 0), (0, [0, 0, 0]));
    assert_eq!(seen(&mut topology, 10_000), (0, [0, 0, 0]));
}

#[test]
fn events_that_an_earlier_process_counted_are_not_counted_again() {
    let mut before = topology();
    report(&mut before, RUN, 1, 0, false);
    let mut rows = Vec::new();
    before.take_rows(|key, value| rows.push((key.to_owned(), value)));
    for (now, expected) in [(TIMEOUT, (1, [0, 0, 0])), (TIMEOUT + 1, (0, [0, 0, 0]))] {
        let mut after = topology();
        for (key, value) in &rows {
            after.load(key, value.as_deref()).expect("a row");
        }
        assert_eq!(seen(&mut after, now), expected);
    }
}
