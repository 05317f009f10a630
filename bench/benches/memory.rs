//! Bytes of memory for each row, series and marker, and allocations for each count. Nothing is timed.

use std::hint::black_box;

use allocation_counter::measure;
use metrics::{counter, with_local_recorder};
use quipu_bench::{Record, is_whole, plain, report, topology};
use quipu_record::{Millis, Offset, RetiredSum, StateKey, StateMarker, StateRetired};
use quipu_reporter::KafkaReporter;
use quipu_topology::SourceRecord;

const NOW: Millis = Millis(1_718_900_000_000);

fn main() {
    let rows = if is_whole() { 100_000 } else { 1_000 };
    println!("allocations for each of 1,000 counts:");
    counting();
    println!("bytes of the table and the sums:");
    table(&format!("a row of a plain counter, {rows} rows, 200 series"), rows, |row| plain(row, 0));
    table("a plain counter with a series of its own", rows, |row| {
        (format!("app-1:metric_{row}"), format!(r#"{{"name":"metric_{row}","count":1}}"#))
    });
    table("a row of a report of 20 counters, 20 series in all", rows / 20, |row| report(row, 20, 0));
    table("a row of a report of 100 counters, 100 series in all", rows / 100, |row| report(row, 100, 0));
    restored("a marker of an expired run", rows, |run| {
        let (key, _) = report(run, 0, 0);
        let marker = StateMarker { began: Some(NOW), seq: 100_000, log_time: NOW };
        (StateKey::Marker(key.as_bytes()).encode(), marker.encode())
    });
    restored("a series that only has a retired sum", rows, |series| {
        let key = format!(r#"records_processed{{outcome="accepted",topic="orders-{series}"}}"#);
        let retired = StateRetired { sum: RetiredSum::Counter(9_876_543_210), rows: 100 };
        (StateKey::Retired(&key).encode(), retired.encode())
    });
}

fn counting() {
    // Nobody listens at this address, so no report is sent.
    let (recorder, _reporter) = KafkaReporter::builder("127.0.0.1:9").build().expect("a reporter");
    with_local_recorder(&recorder, || {
        let held = counter!("held");
        let count = || counter!("labeled", "topic" => "auth", "status" => "ok").increment(1);
        count();
        let held = measure(|| (0..1000).for_each(|_| black_box(&held).increment(1)));
        let labeled = measure(|| (0..1000).for_each(|_| count()));
        println!("  a held counter: {}", held.count_total);
        println!("  counter! with labels: {}", labeled.count_total);
        assert_eq!((held.count_total, labeled.count_total), (0, 0), "counting allocates");
    });
}

fn table(what: &str, rows: u64, record: impl Fn(u64) -> Record) {
    let mut kept = None;
    let allocated = measure(|| {
        let topology = kept.insert(topology());
        for row in 0..rows {
            let (key, value) = record(row);
            let offset = Offset(i64::try_from(row).expect("few rows"));
            let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
            topology
                .process(&SourceRecord { offset, timestamp: Some(NOW), is_append_time: true, key, value }, NOW)
                .expect("a good record");
        }
        topology.take_aggregates(NOW);
        topology.take_rows(|_, _| {});
    });
    println!("  {what}: {}", allocated.bytes_current / i64::try_from(rows).expect("few rows"));
}

/// Measures records of the state, as a restart loads them.
fn restored(what: &str, records: u64, record: impl Fn(u64) -> (Vec<u8>, Vec<u8>)) {
    let mut kept = None;
    let allocated = measure(|| {
        let topology = kept.insert(topology());
        for number in 0..records {
            let (key, value) = record(number);
            topology.load(&key, Some(&value)).expect("a record of the state");
        }
        topology.take_aggregates(NOW);
    });
    println!("  {what}: {}", allocated.bytes_current / i64::try_from(records).expect("few records"));
}
