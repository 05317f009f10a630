//! The reporter and the aggregator during a crash of the broker.

use std::thread;
use std::time::Duration;

use metrics::{counter, with_local_recorder};
use quipu_reporter::KafkaReporter;
use quipu_testkit::{DEADLINE, Kafka, Pipeline, Stop, require};

use crate::QUIPU;

const THREADS: u64 = 4;

#[test]
fn a_crash_of_the_broker_loses_no_count() {
    let Some(kafka) = require(Kafka::start()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let mut outsider = pipeline.outsider();
    let (recorder, reporter) = KafkaReporter::builder(kafka.bootstrap())
        .topic(&pipeline.metrics)
        .instance("app-1")
        .interval(Duration::from_millis(50))
        .build()
        .unwrap();
    let stop = Stop::default();

    let counted: Vec<u64> = thread::scope(|scope| {
        let guard = stop.guard();
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (stop, recorder) = (&stop, &recorder);
                let count = move || {
                    let mut counted = 0;
                    while !stop.is_set() {
                        counter!("shared").increment(3);
                        counter!("own", "thread" => number.to_string()).increment(1);
                        counted += 1;
                        thread::park_timeout(Duration::from_micros(100));
                    }
                    counted
                };
                scope.spawn(move || with_local_recorder(recorder, count))
            })
            .collect();
        let before = outsider.until_beyond("shared", 0);
        kafka.kill();
        let error = reporter.flush(Duration::from_secs(2)).unwrap_err();
        assert!(matches!(error, quipu_reporter::Error::Timeout { .. }), "{error:?}");
        kafka.restart();
        // The reporter recovers without a call, while the threads keep counting.
        outsider.until_beyond("shared", before);
        reporter.flush(DEADLINE).unwrap();
        drop(guard);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    reporter.shutdown(DEADLINE).unwrap();

    outsider.until(&[("shared", i128::from(counted.iter().sum::<u64>()) * 3)]);
    for (thread, counted) in counted.iter().enumerate() {
        let series = format!(r#"own{{thread="{thread}"}}"#);
        outsider.until(&[(&series, i128::from(*counted))]);
    }
    assert_eq!(outsider.went_back(), [""; 0]);
    aggregator.stop();
    outsider.read_to_end();
    assert_eq!(outsider.totals().len() as u64, THREADS + 1);
    assert_eq!(outsider.went_back(), [""; 0]);
}
