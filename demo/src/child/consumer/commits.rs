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

use crate::child::parent::Status;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Stores the offsets of records that were processed and reported. librdkafka commits the stored offsets
/// (`enable.auto.commit`), because it knows when the group is not rebalancing.
pub(super) struct Commits {
    pub(super) reporter: KafkaReporter,
    topic: String,
    uncommitted: Mutex<Uncommitted>,
    allowed: AtomicBool,
}

/// The records that were processed and are not stored for a commit yet. If the consumer stopped now, another consumer
/// would process them again.
#[derive(Debug, Default)]
struct Uncommitted {
    /// The number of these records.
    records: u64,
    /// When the first of them was processed.
    since: Option<Instant>,
    /// The next offset of each partition.
    next: BTreeMap<i32, i64>,
}

impl Commits {
    pub(super) fn new(reporter: KafkaReporter, topic: &str) -> Self {
        Self { reporter, topic: topic.to_owned(), uncommitted: Mutex::default(), allowed: AtomicBool::new(true) }
    }

    /// Adds a record that was processed.
    pub(super) fn processed(&self, record: &BorrowedMessage<'_>) {
        let mut uncommitted = self.lock();
        uncommitted.records += 1;
        uncommitted.since.get_or_insert_with(Instant::now);
        uncommitted.next.insert(record.partition(), record.offset() + 1);
    }

    /// Returns the number of uncommitted records and when the first of them was processed.
    pub(super) fn uncommitted(&self) -> (u64, Option<Instant>) {
        let uncommitted = self.lock();
        (uncommitted.records, uncommitted.since)
    }

    /// Stores no more offsets from now on.
    pub(super) fn forbid(&self) {
        self.allowed.store(false, Relaxed);
    }

    /// Reports the counters, then stores the offsets of the processed records. Returns false if the report failed and
    /// should be retried soon.
    pub(super) fn allow(&self, consumer: &BaseConsumer<Self>) -> bool {
        if !self.allowed.load(Relaxed) {
            return true;
        }
        // A crash between report and commit makes records count twice. In the opposite order they would not be
        // counted at all.
        if let Err(error) = self.reporter.flush(TIMEOUT) {
            tracing::warn!(%error, "the counters could not be reported; no offsets are committed");
            return false;
        }
        let uncommitted = std::mem::take(&mut *self.lock());
        if let Err(error) = self.store(consumer, &uncommitted) {
            tracing::warn!(%error, "some offsets could not be stored; their records will be processed again");
        }
        true
    }

    fn store(&self, consumer: &BaseConsumer<Self>, uncommitted: &Uncommitted) -> KafkaResult<()> {
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in &uncommitted.next {
            offsets.add_partition_offset(&self.topic, *partition, Offset::Offset(*next))?;
        }
        consumer.store_offsets(&offsets)
    }

    fn lock(&self) -> MutexGuard<'_, Uncommitted> {
        self.uncommitted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Commits {}

impl ConsumerContext for Commits {
    /// Stores the offsets before partitions go to another consumer. librdkafka calls it within `poll`, so every polled
    /// record has been processed.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(_) = rebalance {
            self.allow(consumer);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        if let Ok(assignment) = consumer.assignment() {
            Status::Assigned(assignment.count()).send();
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::info!(%error, "the offsets could not be committed; retrying");
        }
    }
}
