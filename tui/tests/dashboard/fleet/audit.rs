//! What the audits' deltas prove.

use quipu_record::AggregateType;
use quipu_tui::EventKind;

use super::observed::{Observed, SECOND, processed};
use crate::support::synthetic::{START, aggregate, run, series};

/// A second in which the producer reports and the audit's numbers are published.
fn step(observed: &mut Observed, second: u64, sent: i128, done: i128) {
    let part = |name: &str| series(&format!(r#"quipu_audit_{name}{{audit="records"}}"#));
    observed.report("producer", run(START, 1), second, &[(&processed(), second)]);
    let at = observed.now;
    observed.total(aggregate(&part("sent"), AggregateType::Counter, sent, at, 1));
    observed.total(aggregate(&part("processed"), AggregateType::Counter, done, at, 1));
    observed.total(aggregate(&part("delta"), AggregateType::Gauge, done - sent, at, 1));
    observed.wait(1);
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
fn while_records_are_sent_a_small_delta_proves_nothing() {
    let mut observed = Observed::new();
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
fn working_off_a_backlog_fast_explains_no_more_than_what_is_sent_meanwhile() {
    let mut observed = Observed::new();
    for second in 0..10 {
        let number = i128::from(second);
        step(&mut observed, second, 90_000 + number * 1_000, number * 10_000);
    }
    for second in 10..16 {
        let sent = 90_000 + i128::from(second) * 1_000;
        step(&mut observed, second, sent, sent + 5_000);
    }
    let audit = observed.fleet.audits().next().expect("an audit");
    assert_eq!((audit.jitter, audit.duplicates()), (1_250, 5_000));
}

#[test]
fn a_sender_that_is_held_up_for_a_moment_is_not_taken_to_send_nothing() {
    let mut observed = Observed::new();
    for second in 0..10 {
        let number = i128::from(second) * 1_000;
        step(&mut observed, second, number, number + 900);
    }
    for second in 10..12 {
        step(&mut observed, second, 9_000, i128::from(second) * 1_000 + 900);
        assert_eq!(observed.fleet.audits().next().expect("an audit").duplicates(), 0, "second {second}");
    }
}
