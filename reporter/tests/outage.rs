//! What happens while Kafka is unreachable or rejects reports.

mod common;

use std::thread;
use std::time::Duration;

use common::{DEADLINE, Table, broker, builder, wait_for};
use metrics::{counter, with_local_recorder};
use quipu_reporter::Error;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaApiKey;

#[test]
fn an_outage_loses_no_count_and_queues_one_report_per_part() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).max_record_bytes(1000).build().unwrap();
    let count =
        || with_local_recorder(&recorder, || (0..50).for_each(|n| counter!("c", "n" => n.to_string()).increment(1)));
    count();
    reporter.flush(DEADLINE).unwrap();
    let parts = reporter.stats().parts;
    assert!(parts > 2, "{parts}");

    broker.down().unwrap();
    count();
    let waiting = wait_for(&reporter, "a report of each part waits", |stats| stats.in_flight == parts);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| count()));
        }
    });
    wait_for(&reporter, "the client reports an error", |stats| stats.last_error.is_some());
    assert_eq!(reporter.stats().reports_sent, waiting.reports_sent, "more reports were queued");

    broker.up().unwrap();
    reporter.flush(DEADLINE).unwrap();
    let stats = reporter.stats();
    assert_eq!(stats.reports_sent, stats.reports_acked + stats.reports_failed + stats.in_flight as u64);
    reporter.shutdown(DEADLINE).unwrap();

    table.read_until("final", |table| table.rows.len() == parts && table.all_final());
    let counts = table.run(&reporter.run().to_string());
    assert_eq!(counts.len(), 50);
    assert!(counts.values().all(|count| *count == 402), "{counts:?}");
}

#[test]
fn a_flush_that_times_out_fails_and_a_later_one_sends_everything() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).build().unwrap();
    reporter.flush(DEADLINE).unwrap();

    broker.down().unwrap();
    with_local_recorder(&recorder, || counter!("c").increment(3));
    let error = reporter.flush(Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");

    broker.up().unwrap();
    reporter.flush(DEADLINE).unwrap();
    table.read_until("the counts", |table| table.run(&reporter.run().to_string()).get("c") == Some(&3));
}

#[test]
fn a_rejected_report_is_sent_again() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).build().unwrap();
    reporter.flush(DEADLINE).unwrap();

    broker.fail_next(RDKafkaApiKey::Produce, RDKafkaErrorCode::MessageSizeTooLarge, 2).unwrap();
    with_local_recorder(&recorder, || counter!("c").increment(3));
    reporter.flush(DEADLINE).unwrap();

    let stats = reporter.stats();
    assert!(stats.reports_failed >= 1, "{stats:?}");
    assert!(stats.last_error.as_ref().is_some_and(|error| error.message.contains("max_record_bytes")), "{stats:?}");
    table.read_until("the counts", |table| table.run(&reporter.run().to_string()).get("c") == Some(&3));
}

#[test]
fn a_client_with_a_fatal_error_is_replaced() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let (recorder, reporter) = builder(&broker).build().unwrap();
    reporter.flush(DEADLINE).unwrap();

    broker.fail_next(RDKafkaApiKey::Produce, RDKafkaErrorCode::OutOfOrderSequenceNumber, 1).unwrap();
    with_local_recorder(&recorder, || counter!("c").increment(3));
    reporter.flush(DEADLINE).unwrap();

    let stats = reporter.stats();
    assert!(stats.last_error.as_ref().is_some_and(|error| error.message.contains("desynchronization")), "{stats:?}");
    table.read_until("the counts", |table| table.run(&reporter.run().to_string()).get("c") == Some(&3));
}

#[test]
fn a_client_that_is_rejected_from_the_start_is_replaced() {
    let broker = broker();
    let mut table = Table::new(&broker);
    broker.fail_next(RDKafkaApiKey::InitProducerId, RDKafkaErrorCode::ClusterAuthorizationFailed, 1).unwrap();
    let (recorder, reporter) = builder(&broker).build().unwrap();
    with_local_recorder(&recorder, || counter!("c").increment(3));
    reporter.flush(DEADLINE).unwrap();

    let stats = reporter.stats();
    assert!(stats.last_error.as_ref().is_some_and(|error| error.message.contains("idempotent")), "{stats:?}");
    table.read_until("the counts", |table| table.run(&reporter.run().to_string()).get("c") == Some(&3));
}

#[test]
fn the_reporter_starts_without_a_broker() {
    let (recorder, reporter) =
        quipu_reporter::KafkaReporter::builder("127.0.0.1:1").drop_timeout(Duration::ZERO).build().unwrap();
    with_local_recorder(&recorder, || counter!("c").increment(3));
    let error = reporter.flush(Duration::from_millis(100)).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    wait_for(&reporter, "an error", |stats| stats.last_error.is_some());
}
