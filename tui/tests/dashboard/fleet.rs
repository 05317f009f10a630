//! Tests the state of the fleet that is computed from records.

mod audit;
mod observed;
mod random;
mod runs;

use quipu_record::{Series, Total};
use quipu_tui::{Batch, Fleet, GroupOffset, LagReport, Limits, RawRecord, Topic, TopicState};

use crate::support::synthetic::{START, aggregate, report, run, series};
use observed::{Observed, SECOND, processed};

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
    assert_eq!(observed.fleet.runs().count(), 1, "a bad record creates no run");
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
fn limits_are_kept_and_records_beyond_them_are_counted() {
    let limits = Limits { series: 2, runs: 2, lines: 1, ..Limits::default() };
    let mut observed = Observed::with(Fleet::new(limits));
    let many: Vec<Series> = (0..5).map(|index| series(&format!("s{index}"))).collect();
    let counters: Vec<(&Series, u64)> = many.iter().map(|series| (series, 1)).collect();
    for number in 1..=4 {
        observed.report(&format!("app-{number}"), run(START, number), 1, &counters);
    }
    observed.total(aggregate(&series("s9"), Total::Counter(1), START, 1));
    assert_eq!(observed.fleet.series().count(), 2);
    assert_eq!(observed.fleet.runs().count(), 2);
    assert_eq!(observed.fleet.cut_off(), 2 * 3 + 2 + 1);

    let second = observed.fleet.find(&many[1]).expect("the fleet has it").id();
    let lines = |fleet: &Fleet| fleet.runs().filter(|run| fleet.line(second, run.id()).is_some()).count();
    assert_eq!(lines(&observed.fleet), 0);
    observed.fleet.focus(Some(second));
    assert_eq!(lines(&observed.fleet), 2, "the series in focus has all its lines");
    observed.fleet.focus(None);
    assert_eq!(lines(&observed.fleet), 0);
}

#[test]
fn rates_use_event_time_even_if_records_are_late() {
    let (mut observed, of) = (Observed::new(), processed());
    let id = run(START, 1);
    observed.now += 60 * SECOND;
    let records = (0..=10).map(|second| {
        let count = u64::try_from(second).expect("a second") * 500;
        report("app-1", id, count, START + second * SECOND, &[(&of, count)], false)
    });
    let totals =
        (0..=10).map(|second| aggregate(&of, Total::Counter(i128::from(second) * 500), START + second * SECOND, 1));
    observed.apply(Batch::Records { topic: Topic::Metrics, records: records.collect() });
    observed.apply(Batch::Records { topic: Topic::Aggregates, records: totals.collect() });
    let found = observed.fleet.find(&of).expect("the fleet has it");
    assert_eq!(found.history().rate(START + 10 * SECOND), Some(500.0));
    let run = observed.run("app-1", id).id();
    let line = observed.fleet.line(found.id(), run).expect("a line");
    assert_eq!(line.rate(START + 10 * SECOND), Some(500.0));
}

#[test]
fn the_data_of_a_topic_that_was_replaced_is_removed() {
    let (mut observed, of) = (Observed::new(), processed());
    observed.report("app-1", run(START, 1), 1, &[(&of, 5)]);
    observed.total(aggregate(&of, Total::Counter(5), START, 1));
    observed.apply(Batch::Topic { topic: Topic::Metrics, state: TopicState::Recreated });
    assert_eq!(observed.fleet.runs().count(), 0);
    assert_eq!(observed.fleet.series().count(), 1);
    observed.apply(Batch::Topic { topic: Topic::Aggregates, state: TopicState::Recreated });
    assert_eq!(observed.fleet.series().count(), 0);
}

#[test]
fn a_topic_that_is_read_again_is_not_counted_twice() {
    let (mut observed, of) = (Observed::new(), processed());
    for _ in 0..2 {
        observed.apply(Batch::Topic { topic: Topic::Metrics, state: TopicState::Reading { start: 0, end: 4 } });
        observed.report("app-1", run(START, 1), 1, &[(&of, 5)]);
        observed.plain("job", r#"{"name":"records_processed","count":100}"#);
        observed.plain("job", r#"{"name":"records_processed","count":40}"#);
        observed.plain("bad", "{");
        observed.apply(Batch::Topic { topic: Topic::Metrics, state: TopicState::CaughtUp });
        observed.fleet.tick(observed.now);
        assert_eq!((observed.count("app-1", &of), observed.count("job", &of)), (Some(5), Some(140)));
        assert_eq!(observed.bad(), [("invalid_json", 1)]);
        let found = observed.fleet.find(&of).expect("the fleet has it");
        assert_eq!((found.reporters(), observed.events().len()), (2, 2));
        observed
            .apply(Batch::Topic { topic: Topic::Metrics, state: TopicState::Failed { reason: "not allowed".into() } });
    }
}

#[test]
fn a_tombstone_removes_a_total() {
    let (mut observed, of) = (Observed::new(), processed());
    observed.total(aggregate(&of, Total::Counter(5), START, 1));
    let key = Some(of.to_string().into_bytes());
    observed.total(RawRecord { offset: 1, timestamp: START, key, value: None });
    assert_eq!(observed.fleet.series().count(), 0);
}

#[test]
fn an_aggregator_whose_position_stands_still_is_stuck_and_one_that_is_behind_is_not() {
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
