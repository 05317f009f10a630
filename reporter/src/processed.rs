//! Which records this process has processed: the ledger's side of the application.

mod cell;
mod tracker;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use quipu_record::{Offset, Span};

use crate::Error;
use crate::reporter::Shared;
pub(crate) use cell::{Mark, PartitionCell};

/// Reports which records of a topic this process has processed, so that the fleet's ledger can name those that were
/// processed twice or never. Made by [`KafkaReporter::processed`](crate::KafkaReporter::processed); clones share their
/// partitions.
///
/// For each partition, report in this order: [`assigned`](Self::assigned) when the consumer gets the partition and after
/// each seek; [`delivered`](Self::delivered) for each record, in the order in which the consumer receives them;
/// [`record`](Self::record) when the work on a record is done, in any order and on any thread;
/// [`committed`](Self::committed) after each commit; [`revoked`](Self::revoked) when the partition is taken away.
///
/// Call [`KafkaReporter::flush`](crate::KafkaReporter::flush) before each commit. Then Kafka has the ranges of every
/// record before its offset is committed, and no record is taken for a missing one if the process is killed.
///
/// A negative offset is ignored, because no record has it; as the begin of an assignment it means that the begin is not
/// known.
#[derive(Clone)]
pub struct Processed {
    shared: Arc<Shared>,
    name: Arc<str>,
    group: Option<Arc<str>>,
    partitions: Arc<RwLock<Partitions>>,
}

/// The partitions by number, because a process has few topics.
type Partitions = BTreeMap<i32, Vec<(Box<str>, PartitionHandle)>>;

impl Processed {
    pub(crate) fn new(shared: Arc<Shared>, name: &str) -> Self {
        Self { shared, name: name.into(), group: None, partitions: Arc::default() }
    }

    /// The same for a consumer group. Two groups that read one topic both process every record, which makes no
    /// duplicates: the group is a label of the series. Default: no group.
    #[must_use]
    pub fn with_group(self, group: &str) -> Self {
        Self { group: (!group.is_empty()).then(|| group.into()), partitions: Arc::default(), ..self }
    }

    /// The handle of a partition. Keep it where speed matters: [`PartitionHandle::record`] is then one atomic operation.
    #[must_use]
    pub fn partition(&self, topic: &str, partition: i32) -> PartitionHandle {
        self.with(topic, partition, Clone::clone)
    }

    /// See [`PartitionHandle::assigned`].
    pub fn assigned(&self, topic: &str, partition: i32, offset: i64) {
        self.with(topic, partition, |handle| handle.assigned(offset));
    }

    /// See [`PartitionHandle::delivered`].
    pub fn delivered(&self, topic: &str, partition: i32, offset: i64) {
        self.with(topic, partition, |handle| handle.delivered(offset));
    }

    /// See [`PartitionHandle::record`].
    pub fn record(&self, topic: &str, partition: i32, offset: i64) {
        self.with(topic, partition, |handle| handle.record(offset));
    }

    /// See [`PartitionHandle::committed`].
    pub fn committed(&self, topic: &str, partition: i32, offset: i64) {
        self.with(topic, partition, |handle| handle.committed(offset));
    }

    /// See [`PartitionHandle::revoked`].
    pub fn revoked(&self, topic: &str, partition: i32) {
        self.with(topic, partition, PartitionHandle::revoked);
    }

    /// Begins a transaction, for a consumer whose offsets are part of one.
    #[must_use = "a transaction that is dropped is aborted"]
    pub fn transaction(&self) -> Transaction<'_> {
        Transaction { processed: self, partitions: BTreeMap::new() }
    }

    /// See [`KafkaReporter::flush`](crate::KafkaReporter::flush).
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        self.shared.flush(timeout)
    }

    fn with<T>(&self, topic: &str, partition: i32, act: impl FnOnce(&PartitionHandle) -> T) -> T {
        let known = self.partitions.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = find(&known, topic, partition) {
            return act(handle);
        }
        drop(known);
        let mut labels = vec![("topic", topic.to_owned()), ("partition", partition.to_string())];
        labels.extend(self.group.as_deref().map(|group| ("group", group.to_owned())));
        let handle = PartitionHandle(self.shared.registry().ranges(&self.name, labels));
        let mut known = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        if find(&known, topic, partition).is_none() {
            known.entry(partition).or_default().push((topic.into(), handle.clone()));
        }
        drop(known);
        act(&handle)
    }
}

fn find<'a>(partitions: &'a Partitions, topic: &str, partition: i32) -> Option<&'a PartitionHandle> {
    let (_, handle) = partitions.get(&partition)?.iter().find(|(name, _)| **name == *topic)?;
    Some(handle)
}

impl fmt::Debug for Processed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processed").field("name", &self.name).field("group", &self.group).finish_non_exhaustive()
    }
}

/// One partition of a [`Processed`]; clones are the same partition. Partitions share no lock.
#[derive(Debug, Clone)]
pub struct PartitionHandle(Arc<PartitionCell>);

impl PartitionHandle {
    /// An assignment begins, or continues after a seek, at this offset: the next delivery is this record or a later one.
    /// What is passed over before it is no record (a marker of a transaction, or removed by compaction). Give a negative
    /// number if the offset is not known, or if the position was deleted from the log before it was read: then nothing is
    /// taken for passed over.
    pub fn assigned(&self, offset: i64) {
        self.0.assign(Some(offset));
    }

    /// The consumer received the record at this offset.
    #[inline]
    pub fn delivered(&self, offset: i64) {
        self.0.deliver(offset);
    }

    /// The work on the record at this offset is done. If it is the next one, this is one atomic operation; it never waits
    /// for Kafka.
    #[inline]
    pub fn record(&self, offset: i64) {
        self.0.record(offset);
    }

    /// The consumer group continues from this offset, should this consumer end.
    pub fn committed(&self, offset: i64) {
        self.0.commit(offset);
    }

    /// The partition was taken away. Records that were delivered before may still be recorded.
    pub fn revoked(&self) {
        self.0.revoke();
    }

    /// The log ends at this offset; informative.
    pub fn log_ends(&self, offset: i64) {
        self.0.set_log_end(offset);
    }

    /// The next commit happens although [`flush`](Processed::flush) failed: the ledger then shows that its numbers may
    /// be wrong for this run.
    pub fn commit_unpublished(&self) {
        self.0.set_unpublished();
    }
}

/// The records processed within one transaction of Kafka. They count from [`commit`](Self::commit) on; a transaction that
/// is dropped is aborted, and its records never count.
///
/// Call [`Processed::flush`] before the transaction of Kafka is committed: then the records are reported as *in hand*,
/// and none is taken for a missing one if the process is killed before the next report.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is aborted"]
pub struct Transaction<'a> {
    processed: &'a Processed,
    partitions: BTreeMap<(Box<str>, i32), Part>,
}

/// What a transaction has of one partition.
#[derive(Debug, Default)]
struct Part {
    spans: Vec<Span>,
    committed: Option<i64>,
}

impl Transaction<'_> {
    /// The work on the record at this offset is done.
    pub fn record(&mut self, topic: &str, partition: i32, offset: i64) {
        if !(0..i64::MAX).contains(&offset) {
            return;
        }
        let next = Span::one(Offset(offset));
        match self.part(topic, partition).spans.last_mut() {
            Some(last) if last.end == next.start => last.end = next.end,
            _ => self.part(topic, partition).spans.push(next),
        }
    }

    /// The offset that the transaction commits for this partition.
    pub fn committed(&mut self, topic: &str, partition: i32, offset: i64) {
        self.part(topic, partition).committed = Some(offset);
    }

    /// Kafka has committed the transaction: its records count.
    pub fn commit(self) {
        for ((topic, partition), part) in &self.partitions {
            self.processed.partition(topic, *partition).0.apply(&part.spans, part.committed);
        }
    }

    /// Kafka has aborted the transaction: its records never count.
    pub fn abort(self) {
        drop(self);
    }

    fn part(&mut self, topic: &str, partition: i32) -> &mut Part {
        self.partitions.entry((topic.into(), partition)).or_default()
    }
}
