//! What the audits' deltas prove.

use quipu_record::AggregateType;
use quipu_tui::EventKind;

use crate::observed::{Observed, SECOND, processed};
use crate::support::synthetic::{START, aggregate, run, series};

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
