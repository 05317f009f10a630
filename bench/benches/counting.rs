//! Counting through the `metrics` facade: a counter that is held, and `counter!`, which looks it up each time. Compares
//! Quipu's recorder with that of metrics-exporter-prometheus and, as far as possible, with an atomic integer. Beside the
//! held counter, it measures the record of the next offset of a partition.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::Criterion;
use metrics::{Recorder, counter, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use quipu_reporter::KafkaReporter;

fn main() {
    // Nobody listens at this address, so no report is sent.
    let (quipu, reporter) = KafkaReporter::builder("127.0.0.1:9").build().expect("a reporter");
    let prometheus = PrometheusBuilder::new().build_recorder();
    let recorders: [(&str, &(dyn Recorder + Sync)); 2] = [("quipu", &quipu), ("prometheus", &prometheus)];

    let mut criterion = Criterion::default().configure_from_args();
    for threads in [1, 2, 8] {
        let mut group = criterion.benchmark_group(format!("counting/held, threads: {threads}"));
        let atomic = AtomicU64::new(0);
        group.bench_function("atomic", |bencher| {
            bencher.iter_custom(|iterations| {
                run(threads, |barrier| {
                    barrier.wait();
                    for _ in 0..iterations {
                        black_box(&atomic).fetch_add(black_box(1), Ordering::Relaxed);
                    }
                })
            });
        });
        for (name, recorder) in recorders {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|iterations| {
                    run(threads, |barrier| {
                        let held = with_local_recorder(&recorder, || counter!("held", "topic" => "auth"));
                        barrier.wait();
                        for _ in 0..iterations {
                            black_box(&held).increment(black_box(1));
                        }
                    })
                });
            });
        }
        // Each thread has a partition of its own, as consumers do.
        group.bench_function("processed record", |bencher| {
            let processed = reporter.processed("orders");
            bencher.iter_custom(|iterations| {
                let next = AtomicU64::new(0);
                run(threads, |barrier| {
                    let number = i32::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("a partition");
                    let partition = processed.partition("records", number);
                    partition.assigned(0);
                    barrier.wait();
                    for offset in 0..i64::try_from(iterations).expect("an offset") {
                        black_box(&partition).record(black_box(offset));
                    }
                })
            });
        });
        group.finish();
        macros(&mut criterion, threads, &recorders);
    }
    criterion.final_summary();
}

/// Measures `counter!` with and without labels.
fn macros(criterion: &mut Criterion, threads: usize, recorders: &[(&str, &(dyn Recorder + Sync)); 2]) {
    let mut group = criterion.benchmark_group(format!("counting/counter!, threads: {threads}"));
    for (name, recorder) in recorders {
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|iterations| {
                looked_up(threads, recorder, || (0..iterations).for_each(|_| counter!("plain").increment(black_box(1))))
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group(format!("counting/counter! with labels, threads: {threads}"));
    for (name, recorder) in recorders {
        group.bench_function(*name, |bencher| {
            bencher.iter_custom(|iterations| {
                looked_up(threads, recorder, || {
                    for _ in 0..iterations {
                        counter!("labeled", "topic" => "auth", "status" => "ok").increment(black_box(1));
                    }
                })
            });
        });
    }
    group.finish();
}

/// Runs the work on every thread with the recorder installed.
fn looked_up(threads: usize, recorder: &(dyn Recorder + Sync), count: impl Fn() + Sync) -> Duration {
    run(threads, |barrier| {
        with_local_recorder(&recorder, || {
            barrier.wait();
            count();
        });
    })
}

/// The time from the moment when all threads are ready until all have ended.
fn run(threads: usize, work: impl Fn(&Barrier) + Sync) -> Duration {
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&barrier))).collect();
        barrier.wait();
        let began = Instant::now();
        for thread in running {
            thread.join().expect("a thread that counts");
        }
        began.elapsed()
    })
}
