use std::error::Error;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, DefaultConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::util::Timeout;

use crate::Processed;

/// How long the committed offsets of an assignment may take.
const COMMITTED: Duration = Duration::from_secs(5);

/// The program's own context: what [`ConsumerContext`] is for a consumer that does not report.
pub trait ConsumerCallbacks: ClientContext + Sized + 'static {
    /// See [`ConsumerContext::pre_rebalance`].
    fn pre_rebalance(&self, consumer: &BaseConsumer<ReportingContext<Self>>, rebalance: &Rebalance<'_>) {
        let _ = (consumer, rebalance);
    }

    /// See [`ConsumerContext::post_rebalance`].
    fn post_rebalance(&self, consumer: &BaseConsumer<ReportingContext<Self>>, rebalance: &Rebalance<'_>) {
        let _ = (consumer, rebalance);
    }

    /// See [`ConsumerContext::commit_callback`].
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let _ = (result, offsets);
    }

    /// See [`ConsumerContext::main_queue_min_poll_interval`].
    fn main_queue_min_poll_interval(&self) -> Timeout {
        ConsumerContext::main_queue_min_poll_interval(&DefaultConsumerContext)
    }
}

impl ConsumerCallbacks for DefaultConsumerContext {}

/// The context of a [`ReportingConsumer`](super::ReportingConsumer): it reports assignments and commits, and calls the
/// program's own context.
#[derive(Debug)]
pub struct ReportingContext<X = DefaultConsumerContext> {
    callbacks: X,
    processed: Processed,
}

impl<X> ReportingContext<X> {
    pub(super) fn new(callbacks: X, processed: Processed) -> Self {
        Self { callbacks, processed }
    }

    /// The program's own context.
    #[must_use]
    pub fn callbacks(&self) -> &X {
        &self.callbacks
    }
}

impl<X: ConsumerCallbacks> ClientContext for ReportingContext<X> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = X::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What lies between the position and the new one was deleted before it was read: it was not passed over.
        if facility == "OFFSET"
            && let Some((topic, partition)) = deleted_position(message)
        {
            self.processed.assigned(topic, partition, UNKNOWN);
        }
        self.callbacks.log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.callbacks.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.callbacks.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.callbacks.generate_oauth_token(config)
    }
}

impl<X: ConsumerCallbacks> ConsumerContext for ReportingContext<X> {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        self.callbacks.pre_rebalance(consumer, rebalance);
        if let Rebalance::Assign(partitions) = rebalance {
            for partition in begins(consumer, partitions).elements() {
                let begin = number(partition.offset());
                self.processed.assigned(partition.topic(), partition.partition(), begin);
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            for partition in partitions.elements() {
                self.processed.revoked(partition.topic(), partition.partition());
            }
        }
        self.callbacks.post_rebalance(consumer, rebalance);
    }

    /// Called for the commits of librdkafka (`enable.auto.commit`). Version 0.39 of rdkafka does not call it for those of
    /// the program.
    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if result.is_ok() {
            committed(&self.processed, offsets);
        }
        self.callbacks.commit_callback(result, offsets);
    }

    fn main_queue_min_poll_interval(&self) -> Timeout {
        self.callbacks.main_queue_min_poll_interval()
    }
}

/// The begin of an assignment that is not known.
const UNKNOWN: i64 = -1;

/// An offset, or a negative number for a place in the log such as its end.
pub(super) fn number(offset: Offset) -> i64 {
    match offset {
        Offset::Offset(offset) => offset,
        _ => UNKNOWN,
    }
}

/// Reports what was committed.
pub(super) fn committed(processed: &Processed, offsets: &TopicPartitionList) {
    for partition in offsets.elements() {
        if let (Ok(()), Offset::Offset(offset)) = (partition.error(), partition.offset()) {
            processed.committed(partition.topic(), partition.partition(), offset);
        }
    }
}

/// The partitions with the offsets where they begin: those of the list, or what the group has committed.
pub(super) fn begins<X: ConsumerCallbacks>(
    consumer: &impl Consumer<ReportingContext<X>>,
    partitions: &TopicPartitionList,
) -> TopicPartitionList {
    let (mut begins, mut stored) = (TopicPartitionList::new(), TopicPartitionList::new());
    for partition in partitions.elements() {
        let is_stored = matches!(partition.offset(), Offset::Stored | Offset::Invalid);
        let list = if is_stored { &mut stored } else { &mut begins };
        // An offset that is not valid is refused here, and by the assignment itself.
        let _ = list.add_partition_offset(partition.topic(), partition.partition(), partition.offset());
    }
    if stored.count() == 0 {
        return begins;
    }
    let committed = consumer.committed_offsets(stored.clone(), COMMITTED).unwrap_or_else(|error| {
        tracing::warn!(%error, "the committed offsets of an assignment are not known; the first records may seem to be missing");
        stored
    });
    for partition in committed.elements() {
        let _ = begins.add_partition_offset(partition.topic(), partition.partition(), partition.offset());
    }
    begins
}

/// The partition whose position is out of range, by librdkafka's warning: `topic [0]: offset reset (at offset 5 …): …`.
fn deleted_position(message: &str) -> Option<(&str, i32)> {
    let (partition, _) = message.split_once("]: offset reset (").filter(|_| message.contains("Offset out of range"))?;
    let (topic, partition) = partition.rsplit_once(" [")?;
    // A log line can begin with the thread's name, as in `[thrd:main]: topic [0]`.
    let topic = topic.rsplit_once("]: ").map_or(topic, |(_, topic)| topic);
    Some((topic, partition.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_of_a_position_that_is_out_of_range_names_its_partition() {
        let reset = "[thrd:main]: my.topic [12]: offset reset (at offset 5 (leader epoch 0), broker 1) to offset BEGINNING (leader epoch -1): fetch failed due to requested offset not available on the broker: Broker: Offset out of range";
        assert_eq!(deleted_position(reset), Some(("my.topic", 12)));
        assert_eq!(deleted_position(reset.trim_start_matches("[thrd:main]: ")), Some(("my.topic", 12)));
        assert_eq!(
            deleted_position(
                "t [1]: offset reset (at offset 5) to END: no previously committed offset available: Local: No offset stored"
            ),
            None
        );
        assert_eq!(deleted_position("something else: Broker: Offset out of range"), None);
    }
}
