//! What is sent to the topic while Kafka works.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Table, broker, builder, wait_for};
use metrics::{Key, Label, Level, Metadata, Recorder, counter, gauge, histogram, with_local_recorder};

static METADATA: Metadata<'static> = Metadata::new("test", Level::INFO, None);

#[test]
fn many_threads_are_counted_exactly() {
    const THREADS: u64 = 8;
    const COUNTS: u64 = 20_000;
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).build().unwrap();

    thread::scope(|scope| {
        for thread in 0..THREADS {
            let recorder = recorder.clone();
            scope.spawn(move || {
                with_local_recorder(&recorder, || {
                    let own = counter!("own", "thread" => thread.to_string());
                    for n in 0..COUNTS {
                        own.increment(1);
                        counter!("shared").increment(2);
                        if n % 100 == 0 {
                            // This series is registered while reports are sent.
                            counter!("late", "n" => (n / 100).to_string()).increment(1);
                        }
                    }
                });
            });
        }
    });
    reporter.shutdown(DEADLINE).unwrap();

    let mut expected: BTreeMap<_, _> = (0..THREADS).map(|n| (format!("own{{thread=\"{n}\"}}"), COUNTS)).collect();
    expected.insert("shared".to_owned(), 2 * THREADS * COUNTS);
    expected.extend((0..COUNTS / 100).map(|n| (format!("late{{n=\"{n}\"}}"), THREADS)));
    table.read_until("final", Table::all_final);
    assert_eq!(table.run(&reporter.run().to_string()), expected);
}

#[test]
fn a_hundred_thousand_series_are_sent_in_parts_and_never_move() {
    const SERIES: usize = 100_000;
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).build().unwrap();

    // `Table` checks the parts: it fails if a series vanishes from its part or is in two parts.
    thread::scope(|scope| {
        for half in [0..SERIES / 2, SERIES / 2..SERIES] {
            let recorder = recorder.clone();
            scope.spawn(move || {
                for n in half {
                    let key = Key::from_parts("series", vec![Label::new("n", n.to_string())]);
                    recorder.register_counter(&key, &METADATA).increment(n as u64);
                }
            });
        }
    });
    reporter.flush(DEADLINE).unwrap();
    let parts = reporter.stats().parts;
    assert!(parts > 3, "{parts}");
    assert_eq!(reporter.stats().series, SERIES);

    let key = Key::from_parts("series", vec![Label::new("n", "99999")]);
    recorder.register_counter(&key, &METADATA).increment(1);
    reporter.shutdown(DEADLINE).unwrap();

    table.read_until("final", |table| table.rows.len() == parts && table.all_final());
    let mut expected: BTreeMap<_, _> = (0..SERIES).map(|n| (format!("series{{n=\"{n}\"}}"), n as u64)).collect();
    expected.insert("series{n=\"99999\"}".to_owned(), 100_000);
    assert!(table.run(&reporter.run().to_string()) == expected, "the counts differ from what was counted");
}

#[test]
fn series_may_be_registered_while_reports_are_sent() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).max_record_bytes(1000).build().unwrap();
    let done = AtomicBool::new(false);

    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..200 {
                let key = Key::from_parts("series", vec![Label::new("n", n.to_string())]);
                recorder.register_counter(&key, &METADATA).increment(1);
                if n % 20 == 0 {
                    let acked = reporter.stats().reports_acked;
                    wait_for(&reporter, "another report", |stats| stats.reports_acked > acked);
                }
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            reporter.flush(DEADLINE).unwrap();
        }
    });
    reporter.shutdown(DEADLINE).unwrap();

    let parts = reporter.stats().parts;
    table.read_until("final", |table| table.rows.len() == parts && table.all_final());
    let expected: BTreeMap<_, _> = (0..200).map(|n| (format!("series{{n=\"{n}\"}}"), 1)).collect();
    assert_eq!(table.run(&reporter.run().to_string()), expected);
}

#[test]
fn without_a_change_there_is_a_heartbeat_and_nothing_in_between() {
    let broker = broker();
    let mut table = Table::with_history(&broker);
    let (_recorder, reporter) =
        builder(&broker).interval(Duration::from_millis(10)).heartbeat(Duration::from_millis(400)).build().unwrap();

    table.read_until("three reports", |table| table.history.len() >= 3);
    drop(reporter);

    assert!(table.history.iter().all(|row| row.instance == "app-1" && row.part == 0 && row.counts.is_empty()));
    assert_eq!(table.history.iter().map(|row| row.seq).take(3).collect::<Vec<_>>(), [1, 2, 3]);
    for pair in table.history[..3].windows(2) {
        assert!(pair[1].at - pair[0].at >= 390, "{pair:?}");
    }
}

#[test]
fn labels_are_canonical_and_override_global_ones() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) =
        builder(&broker).global_label("env", "test").global_label("env", "prod").build().unwrap();

    with_local_recorder(&recorder, || {
        counter!("a", "x" => "1", "y" => "2").increment(1);
        counter!("a", "y" => "2", "x" => "1").increment(1);
        counter!("a", "y" => "2", "x" => "1", "z" => "", "env" => "prod").increment(1);
        counter!("b", "env" => "own").increment(1);
        counter!("b.c", "quoted \"label\"" => "back\\slash\nline").absolute(5);
    });
    reporter.shutdown(DEADLINE).unwrap();

    table.read_until("final", Table::all_final);
    let expected = [
        (r#"a{env="prod",x="1",y="2"}"#, 3),
        (r#"b{env="own"}"#, 1),
        ("{\"b.c\",env=\"prod\",\"quoted \\\"label\\\"\"=\"back\\\\slash\\nline\"}", 5),
    ];
    let expected: BTreeMap<_, _> = expected.into_iter().map(|(series, value)| (series.to_owned(), value)).collect();
    assert_eq!(table.run(&reporter.run().to_string()), expected);
}

#[test]
fn metrics_that_are_not_published_are_counted() {
    let broker = broker();
    let (recorder, reporter) = builder(&broker).max_series(1).build().unwrap();

    with_local_recorder(&recorder, || {
        gauge!("queue_length").set(1.0);
        gauge!("queue_length").set(2.0);
        histogram!("latency").record(0.1);
        counter!("taken").increment(1);
        counter!("one_too_many").increment(7);
    });

    let stats = reporter.stats();
    assert_eq!(stats.unsupported_registrations, 3);
    assert_eq!((stats.series, stats.refused_registrations, stats.refused_counts), (1, 1, 7));
}
