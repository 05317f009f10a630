//! Reads how far a consumer group is, without being a member of the group.

use std::time::Duration;

use anyhow::{Context as _, Result};
use quipu_kafka::Bounded;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call with the timeout [`TIMEOUT`] may take.
const BOUND: Duration = Duration::from_secs(15);

/// Reads the committed offsets of a group.
pub(crate) struct GroupWatch {
    client: Bounded<BaseConsumer>,
    topic: String,
    partitions: i32,
}

impl GroupWatch {
    /// Creates a client; `config` has the connection settings.
    pub(crate) fn new(config: &ClientConfig, group: &str, topic: &str, partitions: i32) -> Result<Self> {
        let client = config.clone().set("group.id", group).create().context("no Kafka client could be created")?;
        let client = Bounded::new(client).context("no thread could be started")?;
        Ok(Self { client, topic: topic.to_owned(), partitions })
    }

    /// Returns the committed offset of each partition, which is the next offset to read; 0 without a commit.
    pub(crate) fn committed(&self) -> Result<Vec<u64>> {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(&self.topic, 0, self.partitions - 1);
        let committed = self
            .client
            .call("committed_offsets", BOUND, move |client| client.committed_offsets(partitions, TIMEOUT))
            .with_context(|| format!("the committed offsets of {} could not be read", self.topic))?;
        let next = |offset| if let Offset::Offset(next) = offset { u64::try_from(next).unwrap_or(0) } else { 0 };
        Ok(committed.elements().iter().map(|partition| next(partition.offset())).collect())
    }

    /// Returns whether the group committed all records that the topic holds now.
    pub(crate) fn is_drained(&self) -> Result<bool> {
        for (partition, committed) in (0..).zip(self.committed()?) {
            let topic = self.topic.clone();
            let (_, end) = self
                .client
                .call("fetch_watermarks", BOUND, move |client| client.fetch_watermarks(&topic, partition, TIMEOUT))
                .with_context(|| format!("the log end of {} could not be read", self.topic))?;
            if committed < u64::try_from(end).unwrap_or(0) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use quipu_broker::EmbeddedBroker;
    use rdkafka::consumer::CommitMode;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

    use super::*;
    use crate::cluster::client_config;

    #[test]
    fn a_group_is_drained_when_it_committed_the_end_of_every_partition() {
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("records", 2).unwrap();
        let config = client_config(&broker.bootstrap_servers(), "test", &[]);
        let producer: BaseProducer = config.create().unwrap();
        for partition in [0, 1, 1] {
            producer.send(BaseRecord::<(), str>::to("records").partition(partition).payload("x")).unwrap();
        }
        producer.flush(TIMEOUT).unwrap();

        let watch = GroupWatch::new(&config, "apps", "records", 2).unwrap();
        assert_eq!((watch.committed().unwrap(), watch.is_drained().unwrap()), (vec![0, 0], false));
        let member: BaseConsumer = config.clone().set("group.id", "apps").create().unwrap();
        let commit = |partition, next| {
            let mut offsets = TopicPartitionList::new();
            offsets.add_partition_offset("records", partition, Offset::Offset(next)).unwrap();
            member.commit(&offsets, CommitMode::Sync).unwrap();
        };
        commit(0, 1);
        assert_eq!((watch.committed().unwrap(), watch.is_drained().unwrap()), (vec![1, 0], false));
        commit(1, 2);
        assert_eq!((watch.committed().unwrap(), watch.is_drained().unwrap()), (vec![1, 2], true));
    }
}
