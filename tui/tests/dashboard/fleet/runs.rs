//! Tests how runs join, restart, become silent and leave.

use quipu_record::{Aggregate, Millis, Offset, Total};
use quipu_tui::{Batch, Connection, EventKind, Fleet, Limits, RawRecord, Run, RunState};

use super::observed::{Observed, SECOND, processed};
use crate::support::synthetic::{self, START, caught_up, report, run, series};

#[test]
fn a_run_joins_becomes_silent_resumes_and_leaves() {
    let (mut observed, of) = (Observed::new(), processed());
    let id = run(START, 1);
    observed.report("app-1", id, 1, &[(&of, 5)]);
    observed.wait(1);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live);
    observed.wait(28);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live, "a heartbeat may be late");
    observed.wait(3);
    assert_eq!(observed.run("app-1", id).state(), RunState::Silent);
    observed.report("app-1", id, 2, &[(&of, 6)]);
    observed.wait(1);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live);
    observed.metric(report("app-1", id, 3, observed.now, &[(&of, 7)], true));
    observed.wait(60);
    assert_eq!(observed.run("app-1", id).state(), RunState::Left, "a run with a final report is not silent");
    let expected = [
        (0, EventKind::Joined, "app-1"),
        (30 * SECOND, EventKind::Silent, "app-1"),
        (32 * SECOND, EventKind::Resumed, "app-1"),
        (33 * SECOND, EventKind::Left, "app-1"),
    ];
    assert_eq!(observed.events(), expected);
    assert_eq!(observed.count("app-1", &of), Some(7), "the count of a run that left stays");
}

#[test]
fn what_the_runs_leave_of_a_total_is_known_when_both_are_of_one_position() {
    let (mut observed, of) = (Observed::new(), processed());
    let mut offset = 0;
    let mut report = |observed: &mut Observed, count: u64| {
        let at = observed.now;
        offset += 1;
        let record = synthetic::report("app-1", run(START, 1), count, at, &[(&of, count)], false);
        observed.metric(RawRecord { offset, ..record });
    };
    let total = |observed: &mut Observed, count: i128, offset: i64| {
        let total = Total::Counter(count);
        let (timestamp, offset) = (Millis(START), Offset(offset));
        let value = Aggregate { series: of.clone(), total, timestamp, offset, instances: 1 }.to_json();
        let key = Some(of.to_string().into_bytes());
        observed.total(RawRecord { offset: 0, timestamp: START, key, value: Some(value) });
        let id = observed.fleet.find(&of).expect("a series").id();
        observed.fleet.others(id)
    };
    report(&mut observed, 5);
    assert_eq!(total(&mut observed, 105, 2), None, "the total includes a record that was not read yet");
    report(&mut observed, 7);
    assert_eq!(total(&mut observed, 107, 2), Some(100));
    report(&mut observed, 9);
    assert_eq!(total(&mut observed, 107, 2), None, "the total does not include a record that was read");
    // A record of another key changes no count.
    observed.metric(RawRecord { offset: 4, timestamp: START, key: Some(b"other".to_vec()), value: None });
    assert_eq!(total(&mut observed, 109, 3), Some(100));
    assert_eq!(total(&mut observed, 4, 4), Some(-5));
}

#[test]
fn the_timeout_is_that_of_the_aggregator_for_a_slow_reporter_too() {
    let limits = Limits { instance_timeout: 180 * SECOND, ..Limits::default() };
    let mut observed = Observed::with(Fleet::new(limits));
    let id = run(START, 1);
    let key = Some(format!("app-1/{id}").into_bytes());
    let value =
        format!(r#"{{"v":1,"instance":"app-1","run":"{id}","at":1,"seq":1,"interval_ms":60000,"counters":[]}}"#);
    observed.metric(RawRecord { offset: 0, timestamp: START, key, value: Some(value.into_bytes()) });
    observed.wait(180);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live);
    observed.wait(1);
    assert_eq!(observed.run("app-1", id).state(), RunState::Silent);
}

#[test]
fn a_restart_is_a_run_of_its_own_and_lowers_nothing() {
    let (mut observed, of) = (Observed::new(), processed());
    let (first, second) = (run(START, 1), run(START + 5 * SECOND, 2));
    observed.report("app-1", first, 1, &[(&of, 100)]);
    observed.wait(6);
    observed.report("app-1", second, 1, &[(&of, 3)]);
    observed.wait(1);
    assert_eq!(observed.run("app-1", first).state(), RunState::Restarted);
    assert_eq!(observed.run("app-1", second).state(), RunState::Live);
    assert_eq!(observed.count("app-1", &of), Some(103));
    let expected = [(0, EventKind::Joined, "app-1"), (5 * SECOND, EventKind::Restarted, "app-1")];
    assert_eq!(observed.events(), expected);
}

#[test]
fn two_programs_under_one_name_are_both_live() {
    let (mut observed, of) = (Observed::new(), processed());
    let (first, second) = (run(START, 1), run(START + SECOND, 2));
    for seq in 1..10 {
        observed.report("app-1", first, seq, &[(&of, seq)]);
        observed.report("app-1", second, seq, &[(&of, seq)]);
        observed.wait(1);
    }
    assert_eq!(observed.run("app-1", first).state(), RunState::Live);
    assert_eq!(observed.run("app-1", second).state(), RunState::Live);
}

#[test]
fn events_of_records_read_at_the_start_are_in_order() {
    let (mut observed, of) = (Observed { fleet: Fleet::default(), now: START + 3_600 * SECOND }, processed());
    let (first, second) = (run(START, 1), run(START + 10 * SECOND, 2));
    // Compaction leaves the newest record of each run, in the order of their offsets.
    observed.metric(report("app-1", second, 9, START + 20 * SECOND, &[(&of, 5)], false));
    observed.metric(report("app-1", first, 5, START + 30 * SECOND, &[(&of, 5)], true));
    observed.wait(1);
    assert_eq!(observed.events(), [], "no events before the topic was read");
    for batch in caught_up() {
        observed.apply(batch);
    }
    observed.wait(1);
    let expected = [
        (0, EventKind::Joined, "app-1"),
        (10 * SECOND, EventKind::Restarted, "app-1"),
        (30 * SECOND, EventKind::Left, "app-1"),
        (50 * SECOND, EventKind::Silent, "app-1"),
    ];
    assert_eq!(observed.events(), expected);
}

#[test]
fn an_outage_of_the_brokers_does_not_make_runs_silent() {
    let (mut observed, of) = (Observed::new(), processed());
    let (id, other) = (run(START, 1), run(START, 2));
    observed.report("app-1", id, 1, &[(&of, 1)]);
    observed.report("app-2", other, 1, &[(&of, 1)]);
    observed.wait(10);
    observed.apply(Batch::Connection(Connection::Lost { reason: "refused".to_owned() }));
    observed.wait(600);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live);
    observed.apply(Batch::Connection(Connection::Connected));
    observed.wait(5);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live, "its next report may still come");
    observed.report("app-1", id, 2, &[(&of, 2)]);
    observed.wait(26);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live);
    assert_eq!(observed.run("app-2", other).state(), RunState::Silent);
}

#[test]
fn parts_of_a_run_are_one_run() {
    let (mut observed, of, other) = (Observed::new(), processed(), series("other"));
    let id = run(START, 1);
    observed.report("app-1", id, 1, &[(&of, 5)]);
    let mut part = report("app-1", id, 1, START, &[(&other, 7)], false);
    part.key = Some(format!("app-1/{id}/1").into_bytes());
    let value = String::from_utf8(part.value.take().expect("a report")).expect("JSON");
    part.value = Some(value.replace(r#""parts":1"#, r#""parts":2"#).into_bytes());
    observed.metric(part);
    assert_eq!(observed.fleet.runs().count(), 1);
    assert_eq!((observed.count("app-1", &of), observed.count("app-1", &other)), (Some(5), Some(7)));
    observed.metric(RawRecord {
        offset: 0,
        timestamp: START,
        key: Some(format!("app-1/{id}/1").into_bytes()),
        value: None,
    });
    assert_eq!((observed.count("app-1", &of), observed.count("app-1", &other)), (Some(5), None));
}

#[test]
fn a_lower_count_of_a_plain_key_is_a_restart_unless_it_is_stale() {
    let (mut observed, of) = (Observed::new(), processed());
    let json = |count: u64, at: i64| format!(r#"{{"name":"records_processed","count":{count},"timestamp":{at}}}"#);
    observed.plain("job", &json(100, 1_718_900_000));
    observed.plain("job", &json(40, 1_718_899_990));
    assert_eq!(observed.count("job", &of), Some(100), "the record is stale");
    observed.plain("job", &json(40, 1_718_900_010));
    assert_eq!(observed.count("job", &of), Some(140), "the plain key restarted");
    observed.wait(31);
    let states: Vec<RunState> = observed.fleet.runs().map(Run::state).collect();
    assert_eq!(states, [RunState::Idle], "a plain key has no heartbeat, so it is never silent");
    assert_eq!(observed.events(), [(0, EventKind::Joined, "job")]);
    observed.plain("job", r#"{"name":"other","count":1}"#);
    assert_eq!(observed.bad(), [("series_changed", 1)]);
    observed.metric(RawRecord { offset: 0, timestamp: START, key: Some(b"job".to_vec()), value: None });
    assert_eq!(observed.count("job", &of), None);
    assert_eq!(observed.fleet.series().count(), 0, "the tombstone removed the series");
}

#[test]
fn a_plain_record_without_a_timestamp_clears_the_timestamp_of_the_row() {
    let (mut observed, of) = (Observed::new(), processed());
    observed.plain("job", r#"{"name":"records_processed","count":100,"timestamp":1718900000}"#);
    observed.plain("job", r#"{"name":"records_processed","count":110}"#);
    observed.plain("job", r#"{"name":"records_processed","count":40,"timestamp":1718899990}"#);
    assert_eq!(observed.count("job", &of), Some(150));
}

#[test]
fn a_wrong_clock_of_this_machine_does_not_make_runs_silent() {
    let (mut observed, of) = (Observed::new(), processed());
    let id = run(START, 1);
    let ahead = 600 * SECOND;
    observed.now += ahead;
    for seq in 0..40 {
        observed.metric(report("app-1", id, seq, observed.now - ahead, &[(&of, seq)], false));
        observed.wait(1);
    }
    assert_eq!(observed.fleet.clock_offset(), ahead);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live);
}
