//! Reporters that report all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use quipu_testkit::Cluster;
use quipu_testkit::fold::{Logged, SERIES, Said};

use crate::chance::pause;

/// Writes reports and plain counters, restarts included, until it is stopped.
pub(crate) struct Fleet {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Logged>>,
}

impl Fleet {
    /// Writes six records, waits until Kafka has them, then waits for `interval`, and so on.
    pub(crate) fn start(bootstrap: &str, topic: &str, interval: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, bootstrap, topic) = (Arc::clone(&stop), bootstrap.to_owned(), topic.to_owned());
        let thread = std::thread::spawn(move || {
            let cluster = Cluster::new(&bootstrap);
            let mut said = Vec::new();
            for round in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let round: Vec<Logged> =
                    (0..6).map(|reporter| Logged { timestamp: 0, said: report(round, reporter) }).collect();
                let records = round.iter().map(|logged| (Some(logged.said.key()), logged.said.value()));
                cluster.produce(&topic, records);
                said.extend(round);
                pause(interval);
            }
            said
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Vec<Logged> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every record was written")
    }
}

fn report(round: u64, reporter: usize) -> Said {
    match reporter {
        // Four runs; each begins a new life every 400 rounds, as another run of the same instance.
        0..4 => {
            let life = usize::try_from(round / 400).expect("small") * 8;
            let counters = (0..SERIES.len()).map(|series| (series, round % 400 * (series as u64 + 1))).collect();
            Said::Report { run: life + reporter * 2, part: reporter % 2, seq: round, is_final: false, counters }
        }
        // A plain counter that restarts every 50 rounds.
        4 => Said::Plain { key: 0, series: 1, count: round % 50 + 1, timestamp: None },
        // A bad record on a live key.
        _ => Said::Bad { key: quipu_testkit::fold::plain_key(0), value: "{" },
    }
}
