//! Reads every total as it becomes visible.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use quipu_record::Aggregate;
use quipu_testkit::Pipeline;
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::seen::Seen;

pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    seen: Arc<Seen>,
    thread: JoinHandle<()>,
}

impl Reader {
    /// Reads from the beginning of the topic; calls `each` with every total.
    pub(crate) fn start(pipeline: &Pipeline, each: impl Fn(&Aggregate) + Send + 'static) -> Self {
        let consumer = pipeline.cluster.consumer();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(&pipeline.aggregates, 0, Offset::Beginning).expect("an offset");
        consumer.assign(&start).expect("assigned");
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
        let (stopped, all) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // An error means that a broker is down; the client retries.
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                    let aggregate = Aggregate::decode(message.payload().expect("a value")).expect("an aggregate");
                    each(&aggregate);
                    all.push(aggregate);
                }
            }
        });
        Self { stop, seen, thread }
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    pub(crate) fn stop(self) -> Vec<Aggregate> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every total could be read");
        std::mem::take(&mut *self.seen.all())
    }
}
