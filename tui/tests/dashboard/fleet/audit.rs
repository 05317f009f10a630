//! Tests which deltas prove duplicates.

use quipu_record::Total;
use quipu_tui::EventKind;

use super::observed::{Observed, SECOND, processed};
use crate::support::synthetic::{START, aggregate, run, series};

/// Applies a second in which the producer reports and the audit's numbers are published.
fn step(observed: &mut Observed, second: u64, sent: i128, done: i128) {
    let part = |name: &str| series(&format!(r#"quipu_audit_{name}{{audit="records"}}"#));
    observed.report("producer", run(START, 1), second, &[(&processed(), second)]);
    let at = observed.now;
    observed.total(aggregate(&part("sent"), Total::Counter(sent), at, 1));
    observed.total(aggregate(&part("processed"), Total::Counter(done), at, 1));
    observed.total(aggregate(&part("delta"), Total::Delta(done - sent), at, 1));
    observed.wait(1);
}

#[test]
fn duplicates_are_an_event_each_time_the_delta_becomes_positive() {
    let mut observed = Observed::new();
    let delta = series(r#"quipu_audit_delta{audit="records"}"#);
    for (second, count) in (0..).zip([-10, -1, 0, 3, 5, -2, 4, 4]) {
        observed.total(aggregate(&delta, Total::Delta(count), START + second * SECOND, 1));
        observed.wait(1);
    }
    let times: Vec<i64> = observed.events().iter().map(|(at, ..)| at / SECOND).collect();
    assert_eq!(times, [4, 7]);
    let audit = observed.fleet.audits().next().expect("an audit");
    assert_eq!((audit.name, audit.delta_count(), audit.duplicates()), ("records", Some(4), 4));
    assert!(audit.sent.is_none());
}

#[test]
fn a_small_delta_while_records_are_sent_does_not_prove_duplicates() {
    let mut observed = Observed::new();
    let found = |observed: &Observed| observed.fleet.audits().next().map(|audit| (audit.jitter, audit.duplicates()));
    for second in 0..10 {
        step(&mut observed, second, i128::from(second) * 1_000, i128::from(second) * 1_000 + 900);
    }
    assert_eq!(found(&observed), Some((1_250, 0)), "1,250 records may have been sent since the last report");
    step(&mut observed, 10, 9_000, 11_000);
    assert_eq!(found(&observed).unwrap().1, 0, "the sender's report is late");
    step(&mut observed, 11, 11_000, 11_900);
    for second in 12..=14 {
        step(&mut observed, second, i128::from(second) * 1_000, i128::from(second) * 1_000 + 2_900);
        assert_eq!(found(&observed).unwrap().1, 0, "the delta may still be a peak");
    }
    step(&mut observed, 15, 15_000, 17_900);
    assert_eq!(found(&observed).unwrap().1, 2_900, "the delta is a step");
    for second in 16..30 {
        step(&mut observed, second, 17_000, 17_900);
    }
    assert_eq!(found(&observed), Some((0, 900)), "no records are sent any more, so the delta is exact");
    let kinds: Vec<EventKind> = observed.events().iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(kinds, [EventKind::Joined, EventKind::Duplicates]);
}

#[test]
fn a_fast_consumer_with_a_backlog_does_not_raise_the_jitter() {
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
fn a_sender_with_a_late_report_still_counts_as_sending() {
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
