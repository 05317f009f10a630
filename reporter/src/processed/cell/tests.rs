use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;
use quipu_record::limits;

use super::*;

fn cell() -> PartitionCell {
    PartitionCell::new(limits::RANGES)
}

#[test]
fn offsets_that_no_record_can_have_are_ignored() {
    let cell = cell();
    for offset in [-1, i64::MIN, i64::MAX] {
        cell.deliver(offset);
        cell.record(offset);
        cell.commit(offset);
    }
    cell.assign(Some(-1001));
    assert_eq!(cell.value(false).1, Ranges::default());
    cell.assign(Some(i64::MAX - 1));
    cell.deliver(i64::MAX - 1);
    cell.record(i64::MAX - 1);
    cell.record(i64::MAX);
    assert_eq!(cell.value(false).1.layers.records(), 1);
}

#[test]
fn a_partition_changes_with_each_step_and_not_by_being_read() {
    let cell = cell();
    let mut marks = vec![cell.mark()];
    let steps: [&dyn Fn(); 6] = [
        &|| cell.assign(Some(5)),
        &|| cell.deliver(5),
        &|| cell.record(5),
        &|| cell.commit(6),
        &|| cell.record(5),
        &|| cell.revoke(),
    ];
    for step in steps {
        step();
        let (mark, _) = cell.value(false);
        assert_eq!(cell.mark(), mark);
        assert!(!marks.contains(&mark));
        marks.push(mark);
    }
}

#[test]
fn threads_that_process_out_of_order_lose_no_record() {
    const THREADS: i64 = 4;
    const RECORDS: i64 = 20_000;
    let cell = cell();
    cell.assign(Some(0));
    let next = Mutex::new(0);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let offset = {
                            let mut next = next.lock().unwrap();
                            cell.deliver(*next);
                            *next += 1;
                            *next - 1
                        };
                        if offset >= RECORDS {
                            return;
                        }
                        cell.record(offset);
                        if offset % 1000 == 0 {
                            cell.record(offset);
                        }
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let (mut before, mut reads) = (Ranges::default(), 0);
            while !ended.load(Ordering::Acquire) {
                let (_, value) = cell.value(false);
                assert!(value.continues(&before), "{value:?} after {before:?}");
                (before, reads) = (value, reads + 1);
            }
            reads
        });
        for worker in workers {
            worker.join().unwrap();
        }
        ended.store(true, Ordering::Release);
        reader.join().unwrap();
    });
    let (_, value) = cell.value(false);
    let records: Vec<_> = value.layers.as_slice().iter().map(quipu_record::Layer::records).collect();
    assert_eq!(records, [20_000, 20]);
    assert_eq!(value.in_hand.as_slice(), [Span::new(Offset(RECORDS), Offset(RECORDS + THREADS))]);
}

#[derive(Debug, Clone)]
enum Step {
    Assign(i64),
    Deliver(i64),
    Record(i64),
    Commit(i64),
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..30_i64).prop_map(Step::Assign),
        6 => (0..30_i64).prop_map(Step::Deliver),
        6 => (0..30_i64).prop_map(Step::Record),
        1 => (0..30_i64).prop_map(Step::Commit),
        1 => Just(Step::Read),
    ]
}

proptest! {
    /// The value does not depend on which steps took the short way, nor on when it was read.
    #[test]
    fn a_cell_has_the_value_of_its_tracker(steps in prop::collection::vec(step(), 0..80)) {
        let cell = cell();
        let mut tracker = Tracker::new(limits::RANGES);
        for step in steps {
            match step {
                Step::Assign(offset) => {
                    cell.assign(Some(offset));
                    tracker.assigned(Some(Offset(offset)));
                }
                Step::Deliver(offset) => {
                    cell.deliver(offset);
                    tracker.delivered(Span::one(Offset(offset)));
                }
                Step::Record(offset) => {
                    cell.record(offset);
                    tracker.recorded(Span::one(Offset(offset)));
                }
                Step::Commit(offset) => {
                    cell.commit(offset);
                    tracker.committed(Offset(offset));
                }
                Step::Read => drop(cell.value(false)),
            }
        }
        prop_assert_eq!(cell.value(false).1, tracker.value(false));
    }
}
