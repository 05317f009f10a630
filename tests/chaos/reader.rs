//! Reads every total that becomes visible, while it becomes visible.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use quipu_record::Aggregate;
use quipu_testkit::{Pipeline, eventually};
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Aggregate>>>,
    thread: JoinHandle<()>,
}

impl Reader {
    pub(crate) fn start(pipeline: &Pipeline) -> Self {
        let consumer = pipeline.cluster.consumer();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(&pipeline.aggregates, 0, Offset::Beginning).expect("an offset");
        consumer.assign(&start).expect("assigned");
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, all) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // Errors are those of a broker that is away; the client goes on trying.
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                    let aggregate = Aggregate::decode(message.payload().expect("a value")).expect("an aggregate");
                    all.lock().expect("no panic").push(aggregate);
                }
            }
        });
        Self { stop, seen, thread }
    }

    pub(crate) fn seen(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }

    /// Waits until the latest total of each series is the one expected.
    pub(crate) fn until(&self, expected: impl IntoIterator<Item = (&'static str, i128)>) {
        for (series, total) in expected {
            eventually(&format!("{series} to be {total}"), || {
                let seen = self.seen.lock().expect("no panic");
                let latest = seen.iter().rev().find(|aggregate| aggregate.series.to_string() == series)?;
                (latest.count == total).then_some(())
            });
        }
    }

    pub(crate) fn stop(self) -> Vec<Aggregate> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every total could be read");
        Arc::into_inner(self.seen).and_then(|seen| seen.into_inner().ok()).expect("the thread is gone")
    }
}
