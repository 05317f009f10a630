//! A report of many series: encoded as JSON, and published until the broker has acknowledged it.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use metrics::{Key, Label, Level, Metadata, Recorder as _};
use quipu_bench::is_whole;
use quipu_broker::EmbeddedBroker;
use quipu_record::{CounterPrefix, ReportHeader, ReportWriter, Series};
use quipu_reporter::KafkaReporter;

const METADATA: Metadata<'static> = Metadata::new("bench", Level::INFO, None);

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let broker = EmbeddedBroker::start().expect("a broker");
    broker.create_topic("metrics", 1).expect("a topic");
    let sizes: &[u64] = if is_whole() { &[100, 10_000, 100_000] } else { &[100] };
    for &series in sizes {
        encode(&mut criterion, series);
        publish(&mut criterion, &broker, series);
    }
    criterion.final_summary();
}

fn encode(criterion: &mut Criterion, series: u64) {
    let prefix = |number: u64| {
        let series = Series::new("records_processed", [("topic", format!("t{number}"))]).expect("a series");
        CounterPrefix::new(series.as_ref())
    };
    let prefixes: Vec<CounterPrefix> = (0..series).map(prefix).collect();
    let header = ReportHeader {
        instance: "app-1",
        run: uuid::Uuid::nil(),
        at: 0,
        seq: 1,
        interval_ms: 1000,
        parts: 1,
        is_final: false,
    };
    let mut group = criterion.benchmark_group("reporting/encode");
    group.throughput(Throughput::Elements(series));
    group.bench_function(BenchmarkId::from_parameter(series), |bencher| {
        bencher.iter(|| {
            let mut report = ReportWriter::new(&header);
            for (value, prefix) in (1_000_000..).zip(&prefixes) {
                report.push(prefix, value);
            }
            black_box(report.finish())
        });
    });
    group.finish();
}

/// Counts in every series and waits until the broker has acknowledged all counts.
fn publish(criterion: &mut Criterion, broker: &EmbeddedBroker, series: u64) {
    // With these intervals the reporter reports only when it is flushed.
    let hour = Duration::from_secs(3600);
    let builder = KafkaReporter::builder(broker.bootstrap_servers()).interval(hour).heartbeat(hour).max_series(200_000);
    let (recorder, reporter) = builder.build().expect("a reporter");
    let counter = |number: u64| {
        let key = Key::from_parts("records_processed", vec![Label::new("topic", format!("t{number}"))]);
        recorder.register_counter(&key, &METADATA)
    };
    let counters: Vec<_> = (0..series).map(counter).collect();
    let mut group = criterion.benchmark_group("reporting/publish");
    group.throughput(Throughput::Elements(series));
    group.bench_function(BenchmarkId::from_parameter(series), |bencher| {
        bencher.iter(|| {
            for counter in &counters {
                counter.increment(1);
            }
            reporter.flush(Duration::from_secs(60)).expect("the broker is there");
        });
    });
    group.finish();
    reporter.shutdown(Duration::from_secs(60)).expect("the broker is there");
}
