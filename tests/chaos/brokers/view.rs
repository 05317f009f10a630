//! Which broker leads what, and whether all replicas are in sync.

use std::time::{Duration, Instant};

use quipu_testkit::eventually;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::{Metadata, MetadataTopic};

use super::three::Number;
use crate::chance::pause;

const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the condition must hold: a broker that just started may still return metadata from before.
const SETTLED: Duration = Duration::from_secs(1);

/// A client that looks at the cluster's metadata.
pub(crate) struct View {
    client: BaseConsumer,
}

impl View {
    pub(crate) fn new(bootstrap: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap).set("socket.timeout.ms", "5000");
        config.set("reconnect.backoff.max.ms", "200");
        Self { client: config.create().expect("a client") }
    }

    /// The broker that leads the topic's only partition.
    pub(crate) fn leader(&self, topic: &str) -> Number {
        self.leader_of(topic, |_| 0)
    }

    /// The broker that coordinates the consumer group.
    pub(crate) fn group_coordinator(&self, group: &str) -> Number {
        self.leader_of("__consumer_offsets", |partitions| partition_of(group, partitions))
    }

    /// The broker that coordinates the transactions of the `transactional.id`.
    pub(crate) fn transaction_coordinator(&self, transactional_id: &str) -> Number {
        self.leader_of("__transaction_state", |partitions| partition_of(transactional_id, partitions))
    }

    fn leader_of(&self, topic: &str, partition: impl Fn(usize) -> usize) -> Number {
        eventually(&format!("a leader of {topic}"), || {
            let metadata = self.client.fetch_metadata(Some(topic), TIMEOUT).ok()?;
            let partitions = metadata.topics().first()?.partitions();
            let wanted = i32::try_from(partition(partitions.len())).ok()?;
            let leader = partitions.iter().find(|partition| partition.id() == wanted)?.leader();
            Number::try_from(leader).ok().filter(|leader| *leader > 0)
        })
    }

    /// Waits until every replica of every partition is in sync.
    pub(crate) fn until_whole(&self) {
        self.until_settled("all replicas to be in sync", |_, replicas, in_sync| in_sync.len() == replicas.len());
    }

    /// Waits until all replicas are in sync and every partition is led by its first replica again.
    pub(crate) fn until_balanced(&self) {
        self.until_settled("the leaders to be back", |leader, replicas, in_sync| {
            in_sync.len() == replicas.len() && Some(&leader) == replicas.first()
        });
    }

    fn until_settled(&self, what: &str, is_well: impl Fn(i32, &[i32], &[i32]) -> bool) {
        let mut since = None;
        eventually(what, || {
            pause(Duration::from_millis(200));
            let metadata = self.client.fetch_metadata(None, TIMEOUT);
            let all_well = |metadata: &Metadata| {
                let mut partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
                partitions.all(|partition| is_well(partition.leader(), partition.replicas(), partition.isr()))
            };
            if !metadata.is_ok_and(|metadata| all_well(&metadata)) {
                since = None;
                return None;
            }
            (since.get_or_insert_with(Instant::now).elapsed() >= SETTLED).then_some(())
        });
    }

    /// The end offset of the topic's only partition.
    pub(crate) fn end(&self, topic: &str) -> i64 {
        eventually(&format!("the end of {topic}"), || {
            self.client.fetch_watermarks(topic, 0, TIMEOUT).ok().map(|(_, end)| end)
        })
    }
}

/// The partition of a coordinator's topic that an id belongs to, computed as Kafka does.
fn partition_of(id: &str, partitions: usize) -> usize {
    let hash = id.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    usize::try_from(hash.checked_abs().unwrap_or(0)).expect("not negative") % partitions
}
