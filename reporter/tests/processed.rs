//! What a reader of the topic sees of the records that were processed.

mod common;

use std::collections::BTreeMap;

use common::{DEADLINE, Table, broker, builder};
use quipu_record::{Offset, Ranges, Span};

/// The reported values of a run by series.
fn ranges(table: &Table, run: &str) -> BTreeMap<String, Ranges> {
    table.rows.values().filter(|row| row.run == run).flat_map(|row| row.ranges.clone()).collect()
}

fn layers(value: &Ranges) -> Vec<Vec<(i64, i64, u64)>> {
    let of = |layer: &quipu_record::Layer| {
        layer.ranges().iter().map(|range| (range.start.0, range.end.0, range.records)).collect()
    };
    value.layers.as_slice().iter().map(of).collect()
}

#[test]
fn a_flush_publishes_what_was_processed_and_the_final_report_has_nothing_in_hand() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (_, reporter) = builder(&broker).global_label("host", "a").build().unwrap();
    let processed = reporter.processed("orders").with_group("shop");
    let partition = processed.partition("records", 2);
    partition.assigned(10);
    (10..20).for_each(|offset| partition.delivered(offset));
    (10..18).for_each(|offset| partition.record(offset));
    processed.record("records", 2, 12);
    reporter.flush(DEADLINE).unwrap();
    partition.committed(18);
    reporter.flush(DEADLINE).unwrap();

    let run = reporter.run().to_string();
    let series = r#"orders{group="shop",partition="2",topic="records"}"#;
    table.read_until("the committed offset", |table| {
        ranges(table, &run).get(series).is_some_and(|value| value.committed == Some(Offset(18)))
    });
    let value = ranges(&table, &run).remove(series).unwrap();
    assert_eq!(layers(&value), [[(10, 18, 8)], [(12, 13, 1)]]);
    assert_eq!(value.in_hand.as_slice(), [Span::new(Offset(18), Offset(20))]);

    partition.record(19);
    reporter.shutdown(DEADLINE).unwrap();
    table.read_until("final", Table::all_final);
    let value = ranges(&table, &run).remove(series).unwrap();
    assert_eq!(layers(&value), [vec![(10, 18, 8), (19, 20, 1)], vec![(12, 13, 1)]]);
    assert!(value.in_hand.is_empty());
}

#[test]
fn the_records_of_a_transaction_count_when_it_is_committed() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (_, reporter) = builder(&broker).build().unwrap();
    let processed = reporter.processed("orders");
    processed.assigned("records", 0, 0);
    (0..6).for_each(|offset| processed.delivered("records", 0, offset));

    let mut aborted = processed.transaction();
    (0..3).for_each(|offset| aborted.record("records", 0, offset));
    aborted.abort();
    let mut committed = processed.transaction();
    (3..5).for_each(|offset| committed.record("records", 0, offset));
    committed.record("records", 1, 7);
    committed.record("records", 1, -1);
    committed.committed("records", 0, 5);
    reporter.flush(DEADLINE).unwrap();
    let run = reporter.run().to_string();
    table.read_until("what is in hand", |table| ranges(table, &run).values().any(|value| !value.in_hand.is_empty()));
    assert!(ranges(&table, &run).values().all(|value| value.layers.is_empty()));

    committed.commit();
    reporter.shutdown(DEADLINE).unwrap();
    table.read_until("final", Table::all_final);
    let ranges = ranges(&table, &run);
    let of = |partition: i32| &ranges[&format!(r#"orders{{partition="{partition}",topic="records"}}"#)];
    assert_eq!((layers(of(0)), of(0).committed), (vec![vec![(3, 5, 2)]], Some(Offset(5))));
    assert_eq!(layers(of(1)), [[(7, 8, 1)]]);
}

#[test]
fn many_partitions_are_reported_in_parts_and_every_part_fits_its_limit() {
    const PARTITIONS: i32 = 30;
    let broker = broker();
    let mut table = Table::new(&broker);
    let (_, reporter) = builder(&broker).build().unwrap();
    let processed = reporter.processed("orders");
    for partition in 0..PARTITIONS {
        let handle = processed.partition("records", partition);
        // More ranges than a value may have, with the longest numbers.
        let start = i64::MAX - 10_000;
        (start..i64::MAX - 1).step_by(3).for_each(|offset| handle.record(offset));
    }
    reporter.shutdown(DEADLINE).unwrap();

    let parts = reporter.stats().parts;
    assert!(parts > 1, "{parts}");
    table.read_until("final", |table| table.rows.len() == parts && table.all_final());
    let ranges = ranges(&table, &reporter.run().to_string());
    assert_eq!(ranges.len(), usize::try_from(PARTITIONS).unwrap());
    for value in ranges.values() {
        assert!(value.inexact && value.len() == quipu_record::limits::RANGES, "{}", value.len());
        assert_eq!(value.layers.records(), 3333);
    }
}

#[test]
fn ranges_that_can_t_be_reported_are_counted() {
    let broker = broker();
    let (_, reporter) = builder(&broker).max_series(1).build().unwrap();
    reporter.processed("").record("records", 0, 1);
    reporter.processed("orders").record("records", 0, 1);
    reporter.processed("orders").record("records", 1, 1);
    reporter.shutdown(DEADLINE).unwrap();
    let stats = reporter.stats();
    assert_eq!((stats.series, stats.refused_registrations), (1, 2));
}
