//! Reporters that report continuously.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use quipu_testkit::Cluster;
use quipu_testkit::fold::{Declared, LogRecord, Logged, SERIES};

use crate::chance::pause;

/// Writes reports and plain counters, including restarts, until it is stopped.
pub(crate) struct Fleet {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Logged>>,
}

impl Fleet {
    /// Writes six records, waits until Kafka has acknowledged them, waits for `interval`, and repeats.
    pub(crate) fn start(bootstrap: &str, topic: &str, interval: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, bootstrap, topic) = (Arc::clone(&stop), bootstrap.to_owned(), topic.to_owned());
        let thread = std::thread::spawn(move || {
            let cluster = Cluster::new(&bootstrap);
            let mut written = Vec::new();
            for round in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let round: Vec<Logged> =
                    (0..6).map(|reporter| Logged { timestamp: 0, record: report(round, reporter) }).collect();
                let records = round.iter().map(|logged| (Some(logged.record.key()), logged.record.value()));
                cluster.produce(&topic, records);
                written.extend(round);
                pause(interval);
            }
            written
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Vec<Logged> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every record was written")
    }
}

fn report(round: u64, reporter: usize) -> LogRecord {
    match reporter {
        // Four runs; every 400 rounds each is replaced by a new run of the same instance.
        0..4 => {
            let life = usize::try_from(round / 400).expect("small") * 8;
            let counters = (0..SERIES.len()).map(|series| (series, round % 400 * (series as u64 + 1))).collect();
            let part = reporter % 2;
            let parts = u32::try_from(part).expect("small") + 1;
            LogRecord::Report { run: life + reporter * 2, part, parts, seq: round, is_final: false, counters }
        }
        // A plain counter that restarts every 50 rounds.
        4 => LogRecord::Plain {
            key: 0,
            series: 1,
            count: round % 50 + 1,
            timestamp: None,
            declared: Declared::default(),
        },
        // A bad record on a live key.
        _ => LogRecord::Bad { key: quipu_testkit::fold::plain_key(0), value: "{" },
    }
}
