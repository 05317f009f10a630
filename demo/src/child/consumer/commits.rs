use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quipu_reporter::KafkaReporter;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::child::parent::Word;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Decides what may be committed: what was processed and reported. When and how it is committed is librdkafka's
/// business (`enable.auto.commit`), for it knows when the group is not rebalancing.
pub(super) struct Commits {
    pub(super) reporter: KafkaReporter,
    topic: String,
    undone: Mutex<Undone>,
    allowed: AtomicBool,
}

/// What is processed and may not be committed yet: were the consumer to end now, it would be done again.
#[derive(Debug, Default)]
struct Undone {
    /// How many records.
    records: u64,
    /// When the first of them was processed.
    since: Option<Instant>,
    /// The next offset of each partition.
    next: BTreeMap<i32, i64>,
}

impl Commits {
    pub(super) fn new(reporter: KafkaReporter, topic: &str) -> Self {
        Self { reporter, topic: topic.to_owned(), undone: Mutex::default(), allowed: AtomicBool::new(true) }
    }

    /// Takes note that a record was processed.
    pub(super) fn processed(&self, record: &BorrowedMessage<'_>) {
        let mut undone = self.lock();
        undone.records += 1;
        undone.since.get_or_insert_with(Instant::now);
        undone.next.insert(record.partition(), record.offset() + 1);
    }

    /// How many records would be done again, and since when there are any.
    pub(super) fn undone(&self) -> (u64, Option<Instant>) {
        let undone = self.lock();
        (undone.records, undone.since)
    }

    /// From now on nothing may be committed any more.
    pub(super) fn forbid(&self) {
        self.allowed.store(false, Relaxed);
    }

    /// Reports the counters, then allows to commit what was processed. False if it should be tried again soon.
    pub(super) fn allow(&self, consumer: &BaseConsumer<Self>) -> bool {
        if !self.allowed.load(Relaxed) {
            return true;
        }
        // In this order, a crash in between makes records count twice; in the other one, not at all.
        if let Err(error) = self.reporter.flush(TIMEOUT) {
            tracing::warn!(%error, "the counters could not be reported, so nothing is committed");
            return false;
        }
        let undone = std::mem::take(&mut *self.lock());
        if let Err(error) = self.store(consumer, &undone) {
            tracing::warn!(%error, "some offsets could not be kept, their records will be processed again");
        }
        true
    }

    fn store(&self, consumer: &BaseConsumer<Self>, undone: &Undone) -> KafkaResult<()> {
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in &undone.next {
            offsets.add_partition_offset(&self.topic, *partition, Offset::Offset(*next))?;
        }
        consumer.store_offsets(&offsets)
    }

    fn lock(&self) -> MutexGuard<'_, Undone> {
        self.undone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Commits {}

impl ConsumerContext for Commits {
    /// Before partitions go to another consumer. It runs within `poll`, so whatever was polled has been processed.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(_) = rebalance {
            self.allow(consumer);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        if let Ok(assignment) = consumer.assignment() {
            Word::Assigned(assignment.count()).say();
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::info!(%error, "the offsets could not be committed, it is tried again");
        }
    }
}
