mod bench;

use std::collections::BTreeMap;

use proptest::prelude::*;

use bench::{Bench, PACE};

#[test]
fn an_empty_run_reports_at_once_and_at_each_heartbeat() {
    let mut bench = Bench::new(500);
    assert_eq!(bench.tick(), [0]);
    bench.ack(0);
    let sent: Vec<_> = (0..25).map(|_| bench.tick()).inspect(|_| ()).map(|sent| sent.len()).collect();
    // The heartbeat at 10 s is never acknowledged, so nothing follows it.
    assert_eq!(sent.iter().sum::<usize>(), 1);
    bench.ack(0);
    assert_eq!(bench.tick(), [0]);
    assert_eq!(bench.totals(), BTreeMap::new());
}

#[test]
fn only_parts_that_changed_are_sent_and_one_record_of_each_at_a_time() {
    let mut bench = Bench::new(400);
    (0..12).for_each(|_| bench.register());
    let all: Vec<usize> = (0..bench.parts.len()).collect();
    assert!(all.len() > 2, "{all:?}");
    assert_eq!(bench.tick(), all);
    bench.ack_all();
    assert_eq!(bench.tick(), [0_usize; 0]);

    bench.count(11, 1);
    let last = all.len() - 1;
    assert_eq!(bench.tick(), [last]);
    bench.count(11, 1);
    assert_eq!(bench.tick(), [0_usize; 0], "the first is still in flight");
    bench.ack(last);
    assert_eq!(bench.tick(), [last]);
    bench.ack(last);
    assert_eq!(bench.tick(), [0_usize; 0]);
    assert_eq!(bench.totals(), bench.truth());
}

#[test]
fn no_record_is_over_the_limit_however_high_the_counts() {
    for max_record_bytes in 300..500 {
        let mut bench = Bench::new(max_record_bytes);
        for series in 0..20 {
            bench.register();
            bench.count(series, u64::MAX);
        }
        // `Bench::report` checks the sizes.
        assert!(bench.tick().len() > 3);
    }
}

#[test]
fn a_failed_part_is_sent_again_after_a_pause_even_without_a_change() {
    let mut bench = Bench::new(400);
    bench.register();
    assert_eq!(bench.report(true, false, false), [0]);
    bench.fail(0, false);
    assert_eq!(bench.parts.failing(), 1);
    bench.flush = 1;
    assert_eq!(bench.report(true, true, false), [0_usize; 0]);
    bench.now += PACE.retry;
    assert_eq!(bench.report(false, true, false), [0]);
    bench.ack(0);
    assert_eq!(bench.parts.failing(), 0);
    assert!(bench.parts.is_flushed(1));
}

#[test]
fn a_flush_needs_no_record_if_kafka_has_the_values_already() {
    let mut bench = Bench::new(400);
    bench.register();
    bench.tick();
    bench.flush = 1;
    assert_eq!(bench.report(false, true, false), [0_usize; 0], "in flight, but read before the flush");
    bench.ack(0);
    assert!(!bench.parts.is_flushed(1));
    assert_eq!(bench.report(false, true, false), [0_usize; 0]);
    assert!(bench.parts.is_flushed(1));
}

#[test]
fn the_final_report_goes_out_once_for_every_part() {
    let mut bench = Bench::new(400);
    (0..12).for_each(|_| bench.register());
    let all: Vec<usize> = (0..bench.parts.len()).collect();
    bench.tick();
    bench.ack_all();
    assert_eq!(bench.report(false, false, true), all);
    bench.fail(0, true);
    bench.ack_all();
    assert!(!bench.parts.is_closed());
    bench.count(0, 5);
    bench.now += PACE.retry;
    assert_eq!(bench.report(false, false, true), [0]);
    bench.ack(0);
    assert!(bench.parts.is_closed());
    assert!(bench.table.values().all(|row| row.is_final));
    assert_eq!(bench.totals(), bench.truth());
}

#[derive(Debug, Clone)]
enum Step {
    Register,
    Count(usize, u64),
    Tick,
    Ack(usize),
    Fail(usize, bool),
    Withdraw(usize),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Register),
        6 => (0..40_usize, 1..1_000_000_000_u64).prop_map(|(series, by)| Step::Count(series, by)),
        3 => Just(Step::Tick),
        4 => (0..8_usize).prop_map(Step::Ack),
        1 => (0..8_usize, any::<bool>()).prop_map(|(part, delivered)| Step::Fail(part, delivered)),
        1 => (0..8_usize).prop_map(Step::Withdraw),
        2 => Just(Step::Flush),
    ]
}

proptest! {
    #[test]
    fn the_table_gets_the_counts_after_any_steps(steps in prop::collection::vec(step(), 1..120)) {
        let mut bench = Bench::new(420);
        let mut asked: Option<BTreeMap<String, u64>> = None;
        for step in steps {
            match step {
                Step::Register => bench.register(),
                Step::Count(series, by) => bench.count(series, by),
                Step::Tick => drop(bench.tick()),
                Step::Ack(part) => bench.ack(part),
                Step::Fail(part, delivered) => bench.fail(part, delivered),
                Step::Withdraw(part) => {
                    if bench.in_flight.remove(&part).is_some() {
                        bench.parts.withdrawn(part);
                    }
                }
                Step::Flush => {
                    if asked.is_none() {
                        bench.flush += 1;
                        asked = Some(bench.truth());
                    }
                }
            }
            bench.report(false, asked.is_some(), false);
            if bench.parts.is_flushed(bench.flush) && let Some(asked) = asked.take() {
                let totals = bench.totals();
                for (series, value) in asked {
                    prop_assert!(totals.get(&series).is_some_and(|total| *total >= value), "{} {:?}", series, totals);
                }
            }
        }

        for _ in 0..2 {
            bench.ack_all();
            bench.now += PACE.retry;
            bench.report(false, false, true);
        }
        bench.ack_all();
        prop_assert!(bench.parts.is_closed());
        prop_assert!(bench.table.values().all(|row| row.is_final));
        prop_assert_eq!(bench.totals(), bench.truth());
    }
}
