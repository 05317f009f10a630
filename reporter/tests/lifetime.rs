//! How a run begins and ends.

mod common;

use std::time::Duration;

use common::{DEADLINE, Table, broker, builder};
use metrics::{counter, with_local_recorder};
use quipu_reporter::{Error, KafkaReporter};

#[test]
fn a_flush_does_not_wait_for_the_interval() {
    let hour = Duration::from_secs(3600);
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).interval(hour).heartbeat(hour).build().unwrap();
    for n in 1..=20 {
        with_local_recorder(&recorder, || counter!("c").increment(1));
        reporter.flush(DEADLINE).unwrap();
        // An acknowledged report is visible to every reader.
        table.read_until("the count", |table| table.run(&reporter.run().to_string()).get("c") == Some(&n));
    }
}

#[test]
fn several_threads_may_flush_at_the_same_time() {
    let broker = broker();
    let (recorder, reporter) = builder(&broker).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (recorder, reporter) = (&recorder, &reporter);
            scope.spawn(move || {
                for _ in 0..20 {
                    with_local_recorder(recorder, || counter!("c", "thread" => thread.to_string()).increment(1));
                    reporter.flush(DEADLINE).unwrap();
                }
            });
        }
    });
    assert_eq!(reporter.stats().series, 8);
}

#[test]
fn shutdown_sends_the_final_report_of_every_part() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).max_record_bytes(1000).build().unwrap();
    with_local_recorder(&recorder, || (0..50).for_each(|n| counter!("c", "n" => n.to_string()).increment(n)));
    reporter.shutdown(DEADLINE).unwrap();

    let parts = reporter.stats().parts;
    assert!(parts > 2, "{parts}");
    table.read_until("final", |table| table.rows.len() == parts && table.all_final());
    assert_eq!(table.run(&reporter.run().to_string()).values().sum::<u64>(), 49 * 50 / 2);
}

#[test]
fn after_the_shutdown_counting_is_harmless_and_a_flush_fails() {
    let broker = broker();
    let (recorder, reporter) = builder(&broker).build().unwrap();
    with_local_recorder(&recorder, || counter!("before").increment(1));
    reporter.shutdown(DEADLINE).unwrap();
    reporter.shutdown(DEADLINE).unwrap();
    with_local_recorder(&recorder, || counter!("before").increment(1));
    with_local_recorder(&recorder, || counter!("after").increment(1));
    assert!(matches!(reporter.flush(DEADLINE), Err(Error::ShutDown)));
    assert_eq!(reporter.stats().series, 2);
    drop(reporter);
    with_local_recorder(&recorder, || counter!("after").increment(1));
}

#[test]
fn a_shutdown_that_times_out_fails_and_can_be_called_again() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).build().unwrap();
    reporter.flush(DEADLINE).unwrap();
    broker.down().unwrap();
    with_local_recorder(&recorder, || counter!("c").increment(1));
    let error = reporter.shutdown(Duration::from_millis(100)).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    broker.up().unwrap();
    reporter.shutdown(DEADLINE).unwrap();
    table.read_until("final", Table::all_final);
}

#[test]
fn dropping_the_reporter_sends_the_final_report() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).drop_timeout(DEADLINE).build().unwrap();
    with_local_recorder(&recorder, || counter!("c").increment(3));
    let run = reporter.run().to_string();
    drop(reporter);
    table.read_until("final", Table::all_final);
    assert_eq!(table.run(&run).get("c"), Some(&3));
}

#[test]
fn a_restart_of_the_instance_is_a_new_run() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (recorder, reporter) = builder(&broker).build().unwrap();
        with_local_recorder(&recorder, || counter!("c").increment(5));
        reporter.shutdown(DEADLINE).unwrap();
        assert_eq!(reporter.instance(), "app-1");
        runs.push(reporter.run().to_string());
    }
    assert!(runs[0] < runs[1], "{runs:?}");
    table.read_until("both final", |table| table.rows.len() == 2 && table.all_final());
    assert!(runs.iter().all(|run| table.run(run).get("c") == Some(&5)));
}

#[test]
fn options_that_can_t_be_used_are_refused_with_the_remedy() {
    let builder = || KafkaReporter::builder("127.0.0.1:1").drop_timeout(Duration::ZERO);
    let ms = Duration::from_millis;
    let cases = [
        (KafkaReporter::builder(" "), "HOST:PORT"),
        (builder().topic(""), "topic's name"),
        (builder().topic("me trics"), "topic's name"),
        (builder().instance(""), "KafkaReporterBuilder::instance"),
        (builder().instance("x".repeat(256)), "KafkaReporterBuilder::instance"),
        (builder().interval(Duration::ZERO), "at least 1 ms"),
        (builder().interval(ms(200)).heartbeat(ms(100)), "as long"),
        (builder().global_label("", "x"), "global labels"),
        (builder().max_record_bytes(100), "max_record_bytes"),
        (builder().max_record_bytes(2 << 20), "max_record_bytes"),
        (builder().property("no.such.property", "x"), "no.such.property"),
        (builder().property("acks", "secret-42"), "acks"),
    ];
    for (builder, remedy) in cases {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(remedy), "{error}");
        assert!(!error.contains("secret-42"), "{error}");
    }
}

#[test]
fn extreme_durations_are_accepted() {
    let broker = broker();
    let (_recorder, reporter) =
        builder(&broker).interval(Duration::MAX).heartbeat(Duration::MAX).drop_timeout(Duration::MAX).build().unwrap();
    reporter.flush(Duration::MAX).unwrap();
    reporter.shutdown(Duration::MAX).unwrap();
}
