//! The fleet, folded from records.

mod support;

use proptest::prelude::*;
use quipu_record::{AggregateType, Series};
use quipu_tui::{
    Batch, Connection, EventKind, Fleet, GroupOffset, LagReport, Limits, RawRecord, Run, RunState, Topic, TopicState,
};
use support::synthetic::{START, aggregate, caught_up, report, run, series};
use uuid::Uuid;

const SECOND: i64 = 1_000;

struct Observed {
    fleet: Fleet,
    now: i64,
}

impl Observed {
    fn new() -> Self {
        Self::with(Fleet::default())
    }

    fn with(fleet: Fleet) -> Self {
        let mut observed = Self { fleet, now: START };
        for batch in caught_up() {
            observed.apply(batch);
        }
        observed
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests read better without ampersands")]
    fn apply(&mut self, batch: Batch) {
        self.fleet.apply(&batch, self.now);
    }

    fn metric(&mut self, record: RawRecord) {
        self.apply(Batch::Records { topic: Topic::Metrics, records: vec![record] });
    }

    fn total(&mut self, record: RawRecord) {
        self.apply(Batch::Records { topic: Topic::Aggregates, records: vec![record] });
    }

    fn report(&mut self, instance: &str, run: Uuid, seq: u64, counters: &[(&Series, u64)]) {
        self.metric(report(instance, run, seq, self.now, counters, false));
    }

    fn plain(&mut self, key: &str, json: &str) {
        let (key, value) = (Some(key.as_bytes().to_vec()), Some(json.as_bytes().to_vec()));
        self.metric(RawRecord { offset: 0, timestamp: self.now, key, value });
    }

    fn wait(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += SECOND;
            self.fleet.tick(self.now);
        }
    }

    fn run(&self, instance: &str, run: Uuid) -> &Run {
        let mut runs = self.fleet.runs();
        runs.find(|other| other.instance() == instance && other.run() == Some(run)).expect("the run is known")
    }

    fn count(&self, instance: &str, of: &Series) -> Option<u128> {
        let of = self.fleet.find(of)?.id();
        self.fleet.runs().filter(|run| run.instance() == instance).filter_map(|run| run.count(of)).reduce(|a, b| a + b)
    }

    fn events(&self) -> Vec<(i64, EventKind, &str)> {
        let event = |event: &'_ quipu_tui::Event| (event.at - START, event.kind);
        self.fleet.events().map(|e| (event(e).0, event(e).1, e.subject.as_str())).collect()
    }

    fn bad(&self) -> Vec<(&'static str, u64)> {
        self.fleet.pipeline().bad().map(|(_, reason, count)| (reason, count)).collect()
    }
}

fn processed() -> Series {
    series("records_processed")
}

#[test]
fn a_run_joins_falls_silent_resumes_and_leaves() {
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
    assert_eq!(observed.run("app-1", id).state(), RunState::Left, "who said so is not silent");
    let expected = [
        (0, EventKind::Joined, "app-1"),
        (30 * SECOND, EventKind::Silent, "app-1"),
        (32 * SECOND, EventKind::Resumed, "app-1"),
        (33 * SECOND, EventKind::Left, "app-1"),
    ];
    assert_eq!(observed.events(), expected);
    assert_eq!(observed.count("app-1", &of), Some(7), "what it counted stays");
}

#[test]
fn a_slow_reporter_is_silent_after_three_of_its_own_intervals() {
    let mut observed = Observed::new();
    let id = run(START, 1);
    let key = Some(format!("app-1/{id}").into_bytes());
    let value =
        format!(r#"{{"v":1,"instance":"app-1","run":"{id}","at":1,"seq":1,"interval_ms":60000,"counters":[]}}"#);
    observed.metric(RawRecord { offset: 0, timestamp: START, key, value: Some(value.into_bytes()) });
    observed.wait(179);
    assert_eq!(observed.run("app-1", id).state(), RunState::Live);
    observed.wait(2);
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
fn history_read_at_the_start_is_told_in_its_order() {
    let (mut observed, of) = (Observed { fleet: Fleet::default(), now: START + 3_600 * SECOND }, processed());
    let (first, second) = (run(START, 1), run(START + 10 * SECOND, 2));
    // Compaction leaves the newest record of each run, in the order of their offsets.
    observed.metric(report("app-1", second, 9, START + 20 * SECOND, &[(&of, 5)], false));
    observed.metric(report("app-1", first, 5, START + 30 * SECOND, &[(&of, 5)], true));
    observed.wait(1);
    assert_eq!(observed.events(), [], "not before everything was read");
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
fn an_outage_of_the_brokers_is_no_silence_of_the_instances() {
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
    assert_eq!(observed.run("app-1", id).state(), RunState::Live, "its reports may be on their way");
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
fn plain_counters_restart_and_stale_ones_do_not() {
    let (mut observed, of) = (Observed::new(), processed());
    let json = |count: u64, at: i64| format!(r#"{{"name":"records_processed","count":{count},"timestamp":{at}}}"#);
    observed.plain("job", &json(100, 1_718_900_000));
    observed.plain("job", &json(40, 1_718_899_990));
    assert_eq!(observed.count("job", &of), Some(100), "it is older");
    observed.plain("job", &json(40, 1_718_900_010));
    assert_eq!(observed.count("job", &of), Some(140), "it began anew");
    observed.wait(31);
    let states: Vec<RunState> = observed.fleet.runs().map(Run::state).collect();
    assert_eq!(states, [RunState::Idle], "it has no heartbeat, so it is not called silent");
    assert_eq!(observed.events(), [(0, EventKind::Joined, "job")]);
    observed.plain("job", r#"{"name":"other","count":1}"#);
    assert_eq!(observed.bad(), [("series_changed", 1)]);
    observed.metric(RawRecord { offset: 0, timestamp: START, key: Some(b"job".to_vec()), value: None });
    assert_eq!(observed.count("job", &of), None);
    assert_eq!(observed.fleet.series().count(), 0, "nothing is left of it");
}

#[test]
fn bad_records_are_counted_and_change_nothing() {
    let (mut observed, of) = (Observed::new(), processed());
    let id = run(START, 1);
    observed.report("app-1", id, 5, &[(&of, 50)]);
    observed.report("app-1", id, 6, &[(&of, 49)]);
    observed.report("app-1", id, 7, &[(&series("other"), 1)]);
    observed.report("app-1", id, 8, &[(&of, 60), (&of, 61)]);
    observed.report("app-1", id, 4, &[(&of, 1_000)]);
    observed.metric(RawRecord { offset: 0, timestamp: 0, key: None, value: None });
    observed.plain("new", "{");
    observed.total(RawRecord { offset: 0, timestamp: 0, key: None, value: Some(b"{}".to_vec()) });
    observed.total(RawRecord { offset: 0, timestamp: 0, key: Some(vec![255]), value: None });
    assert_eq!(observed.count("app-1", &of), Some(50));
    assert_eq!(observed.fleet.runs().count(), 1, "a bad record makes no run");
    let mut bad = observed.bad();
    bad.sort_unstable();
    let expected = [
        ("counter_went_back", 1),
        ("duplicate_series", 1),
        ("invalid_json", 1),
        ("key_not_utf8", 1),
        ("null_key", 1),
        ("series_vanished", 1),
        ("unexpected_shape", 1),
    ];
    assert_eq!(bad, expected);
}

#[test]
fn limits_hold_and_what_they_cut_off_is_counted() {
    let limits = Limits { series: 2, runs: 2, lines: 1 };
    let mut observed = Observed::with(Fleet::new(limits));
    let many: Vec<Series> = (0..5).map(|index| series(&format!("s{index}"))).collect();
    let counters: Vec<(&Series, u64)> = many.iter().map(|series| (series, 1)).collect();
    for number in 1..=4 {
        observed.report(&format!("app-{number}"), run(START, number), 1, &counters);
    }
    observed.total(aggregate(&series("s9"), AggregateType::Counter, 1, START, 1));
    assert_eq!(observed.fleet.series().count(), 2);
    assert_eq!(observed.fleet.runs().count(), 2);
    assert_eq!(observed.fleet.cut_off(), 2 * 3 + 2 + 1);

    let second = observed.fleet.find(&many[1]).expect("known").id();
    let lines = |fleet: &Fleet| fleet.runs().filter(|run| fleet.line(second, run.id()).is_some()).count();
    assert_eq!(lines(&observed.fleet), 0);
    observed.fleet.focus(Some(second));
    assert_eq!(lines(&observed.fleet), 2, "the series in focus has all its lines");
    observed.fleet.focus(None);
    assert_eq!(lines(&observed.fleet), 0);
}

#[test]
fn rates_follow_event_time_however_late_the_records_come() {
    let (mut observed, of) = (Observed::new(), processed());
    let id = run(START, 1);
    observed.now += 60 * SECOND;
    let records = (0..=10).map(|second| {
        let count = u64::try_from(second).expect("a second") * 500;
        report("app-1", id, count, START + second * SECOND, &[(&of, count)], false)
    });
    let totals = (0..=10)
        .map(|second| aggregate(&of, AggregateType::Counter, i128::from(second) * 500, START + second * SECOND, 1));
    observed.apply(Batch::Records { topic: Topic::Metrics, records: records.collect() });
    observed.apply(Batch::Records { topic: Topic::Aggregates, records: totals.collect() });
    let found = observed.fleet.find(&of).expect("known");
    assert_eq!(found.history().rate(START + 10 * SECOND), Some(500.0));
    let run = observed.run("app-1", id).id();
    let line = observed.fleet.line(found.id(), run).expect("a line");
    assert_eq!(line.rate(START + 10 * SECOND), Some(500.0));
}

#[test]
fn a_wrong_clock_here_does_not_make_the_fleet_silent() {
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

#[test]
fn duplicates_are_an_event_each_time_the_delta_becomes_positive() {
    let mut observed = Observed::new();
    let delta = series(r#"quipu_audit_delta{audit="records"}"#);
    for (second, count) in (0..).zip([-10, -1, 0, 3, 5, -2, 4, 4]) {
        observed.total(aggregate(&delta, AggregateType::Gauge, count, START + second * SECOND, 1));
        observed.wait(1);
    }
    let times: Vec<i64> = observed.events().iter().map(|(at, ..)| at / SECOND).collect();
    assert_eq!(times, [4, 7]);
    let audit = observed.fleet.audits().next().expect("an audit");
    assert_eq!((audit.name, audit.delta_count(), audit.duplicates()), ("records", Some(4), 4));
    assert!(audit.sent.is_none());
}

#[test]
fn while_records_are_processed_a_small_delta_proves_nothing() {
    let (mut observed, of) = (Observed::new(), processed());
    let part = |name: &str| series(&format!(r#"quipu_audit_{name}{{audit="records"}}"#));
    let step = |observed: &mut Observed, second: u64, sent: i128, processed: i128| {
        observed.report("producer", run(START, 1), second, &[(&of, second)]);
        let at = observed.now;
        observed.total(aggregate(&part("sent"), AggregateType::Counter, sent, at, 1));
        observed.total(aggregate(&part("processed"), AggregateType::Counter, processed, at, 1));
        observed.total(aggregate(&part("delta"), AggregateType::Gauge, processed - sent, at, 1));
        observed.wait(1);
    };
    let found = |observed: &Observed| observed.fleet.audits().next().map(|audit| (audit.jitter, audit.duplicates()));
    for second in 0..10 {
        step(&mut observed, second, i128::from(second) * 1_000, i128::from(second) * 1_000 + 900);
    }
    assert_eq!(found(&observed), Some((1_250, 0)), "so much may have been sent since the last report");
    step(&mut observed, 10, 9_000, 11_000);
    assert_eq!(found(&observed).unwrap().1, 0, "the sender is held up");
    step(&mut observed, 11, 11_000, 11_900);
    for second in 12..=14 {
        step(&mut observed, second, i128::from(second) * 1_000, i128::from(second) * 1_000 + 2_900);
        assert_eq!(found(&observed).unwrap().1, 0, "a peak looks the same as yet");
    }
    step(&mut observed, 15, 15_000, 17_900);
    assert_eq!(found(&observed).unwrap().1, 2_900, "it is a step");
    for second in 16..30 {
        step(&mut observed, second, 17_000, 17_900);
    }
    assert_eq!(found(&observed), Some((0, 900)), "nothing goes on any more, so the delta is exact");
    let kinds: Vec<EventKind> = observed.events().iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(kinds, [EventKind::Joined, EventKind::Duplicates]);
}

#[test]
fn a_topic_that_was_replaced_is_forgotten() {
    let (mut observed, of) = (Observed::new(), processed());
    observed.report("app-1", run(START, 1), 1, &[(&of, 5)]);
    observed.total(aggregate(&of, AggregateType::Counter, 5, START, 1));
    observed.apply(Batch::Topic { topic: Topic::Metrics, state: TopicState::Recreated });
    assert_eq!(observed.fleet.runs().count(), 0);
    assert_eq!(observed.fleet.series().count(), 1);
    observed.apply(Batch::Topic { topic: Topic::Aggregates, state: TopicState::Recreated });
    assert_eq!(observed.fleet.series().count(), 0);
}

#[test]
fn a_tombstone_takes_a_total_away() {
    let (mut observed, of) = (Observed::new(), processed());
    observed.total(aggregate(&of, AggregateType::Counter, 5, START, 1));
    let key = Some(of.to_string().into_bytes());
    observed.total(RawRecord { offset: 1, timestamp: START, key, value: None });
    assert_eq!(observed.fleet.series().count(), 0);
}

#[test]
fn an_aggregator_that_reads_nothing_new_is_stuck_and_one_that_is_behind_is_not() {
    let mut observed = Observed::new();
    let lag = |end, committed| {
        let groups = vec![GroupOffset { group: "quipu".to_owned(), topic: Topic::Metrics, committed }];
        Batch::Lag(LagReport { log_ends: vec![(Topic::Metrics, end)], groups })
    };
    for step in 1..=10 {
        observed.apply(lag(step * 100, Some(step * 50)));
        observed.wait(2);
    }
    assert_eq!(observed.fleet.pipeline().aggregator_lag(), Some(500));
    let moved = observed.now - 2 * SECOND;
    assert_eq!(observed.fleet.pipeline().aggregator_stuck_since(), Some(moved));
    observed.apply(lag(2_000, Some(500)));
    assert_eq!(observed.fleet.pipeline().aggregator_stuck_since(), Some(moved));
    observed.apply(lag(2_000, Some(2_000)));
    assert_eq!(observed.fleet.pipeline().aggregator_stuck_since(), None);
    observed.apply(lag(2_100, None));
    assert_eq!(observed.fleet.pipeline().aggregator_lag(), None);
}

proptest! {
    /// Whatever comes in whatever order: a run's count is that of its newest report that is not bad.
    #[test]
    fn counts_are_those_of_the_newest_reports(
        reports in prop::collection::vec((0_u64..3, 0_u64..20, 0_u64..1_000, any::<bool>()), 0..60),
    ) {
        let (mut observed, of) = (Observed::new(), processed());
        let mut expected: std::collections::BTreeMap<u64, (u64, u64)> = std::collections::BTreeMap::new();
        for (instance, seq, count, is_final) in reports {
            let id = run(START, instance);
            observed.metric(report(&format!("app-{instance}"), id, seq, START, &[(&of, count)], is_final));
            let row = expected.entry(instance).or_insert((seq, count));
            if seq >= row.0 && count >= row.1 {
                *row = (seq, count);
            }
        }
        for (instance, (_, count)) in &expected {
            prop_assert_eq!(observed.count(&format!("app-{instance}"), &of), Some(u128::from(*count)));
        }
        let reporters = observed.fleet.find(&of).map_or(0, quipu_tui::ObservedSeries::reporters);
        prop_assert_eq!(usize::try_from(reporters).ok(), Some(expected.len()));
    }

    /// No record can make the fleet panic.
    #[test]
    fn no_record_panics(
        records in prop::collection::vec(
            (any::<bool>(), any::<i64>(), prop::option::of(".{0,20}"), prop::option::of("\\PC{0,60}|[{}\":,a-z0-9]{0,60}")),
            0..20,
        ),
        now in 0..i64::MAX / 4,
    ) {
        let mut observed = Observed::new();
        observed.now = now;
        for (is_metric, timestamp, key, value) in records {
            let (key, value) = (key.map(String::into_bytes), value.map(String::into_bytes));
            let record = RawRecord { offset: timestamp, timestamp, key, value };
            if is_metric { observed.metric(record) } else { observed.total(record) }
        }
        observed.wait(2);
    }
}
