//! How far a consumer group is, asked from outside the group.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for a group's committed offsets without being a member.
pub(crate) struct GroupWatch {
    client: BaseConsumer,
    topic: String,
    partitions: i32,
}

impl GroupWatch {
    /// `config` says how to reach the brokers.
    pub(crate) fn new(config: &ClientConfig, group: &str, topic: &str, partitions: i32) -> Result<Self> {
        let client = config.clone().set("group.id", group).create().context("no Kafka client could be made")?;
        Ok(Self { client, topic: topic.to_owned(), partitions })
    }

    /// The next offset to read of each partition, as the group committed it; 0 if it never did.
    pub(crate) fn committed(&self) -> Result<Vec<u64>> {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(&self.topic, 0, self.partitions - 1);
        let committed = self
            .client
            .committed_offsets(partitions, TIMEOUT)
            .with_context(|| format!("the committed offsets of {} are not to be had", self.topic))?;
        let next = |offset| if let Offset::Offset(next) = offset { u64::try_from(next).unwrap_or(0) } else { 0 };
        Ok(committed.elements().iter().map(|partition| next(partition.offset())).collect())
    }

    /// Whether the group committed everything that the topic holds now.
    pub(crate) fn is_drained(&self) -> Result<bool> {
        for (partition, committed) in (0..).zip(self.committed()?) {
            let (_, end) = self
                .client
                .fetch_watermarks(&self.topic, partition, TIMEOUT)
                .with_context(|| format!("the log end of {} is not to be had", self.topic))?;
            if committed < u64::try_from(end).unwrap_or(0) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
