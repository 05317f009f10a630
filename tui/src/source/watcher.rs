use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::groups::GroupInfo;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::client::{Context, drain};
use super::options::SourceOptions;
use super::reader::Gone;
use super::stop::Stop;
use crate::batch::{Batch, Connection, GroupOffset, LagReport, Topic};

/// A broker that takes longer to answer is asked again at the next tick.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How often librdkafka's events are looked at between two ticks.
const POLL: Duration = Duration::from_millis(100);
/// How often the list of all groups is asked for, which is dear on a large cluster.
const DISCOVERY: Duration = Duration::from_secs(30);
/// So many groups are followed, each by a client of its own.
const GROUPS: usize = 32;

/// Asks for log ends and committed offsets, and tells thereby whether the brokers answer.
pub(super) struct Watcher {
    options: SourceOptions,
    config: ClientConfig,
    consumer: BaseConsumer<Context>,
    batches: SyncSender<Batch>,
    stop: Stop,
    groups: BTreeMap<String, (Topic, BaseConsumer<Context>)>,
}

impl Watcher {
    pub(super) fn new(
        options: SourceOptions,
        config: ClientConfig,
        batches: SyncSender<Batch>,
        stop: Stop,
    ) -> KafkaResult<Self> {
        let consumer = config.create_with_context(Context::default())?;
        Ok(Self { options, config, consumer, batches, stop, groups: BTreeMap::new() })
    }

    /// Asks once per interval, until it is stopped or nobody takes the answers any more.
    pub(super) fn run(&mut self) -> Result<(), Gone> {
        let mut discovery: Option<Instant> = None;
        while !self.stop.is_set() {
            let next = Instant::now() + self.options.lag_interval;
            let mut report = self.report();
            if report.is_ok() && discovery.is_none_or(|last| last.elapsed() >= DISCOVERY) {
                // The groups are looked for where a broker answers, and are in the first report already.
                discovery = Some(Instant::now());
                self.discover();
                report = self.report();
            }
            match report {
                Ok(report) => {
                    // What still waits there failed before.
                    drain(&self.consumer);
                    self.consumer.context().forget();
                    self.batches.send(Batch::Connection(Connection::Connected))?;
                    self.batches.send(Batch::Lag(report))?;
                }
                Err(error) => {
                    tracing::debug!(%error, "log ends and committed offsets are not to be had");
                    // Why it is so stands in the queue that polling serves.
                    drop(self.consumer.poll(POLL));
                    drain(&self.consumer);
                    let reason = self.consumer.context().reason(&error);
                    self.batches.send(Batch::Connection(Connection::Lost { reason }))?;
                }
            }
            while !self.stop.is_set() && Instant::now() < next {
                // Nothing is assigned, so what comes are errors, and the context has logged them already.
                drain(&self.consumer);
                self.groups.values().for_each(|(_, client)| drain(client));
                self.stop.wait(POLL);
            }
        }
        Ok(())
    }

    /// Finds the groups to follow, and lets go of those that are gone.
    fn discover(&mut self) {
        let mut followed = self.options.groups();
        match self.consumer.fetch_group_list(None, TIMEOUT) {
            Ok(list) => {
                let sinks = list.groups().iter().map(GroupInfo::name).filter(|group| self.options.is_sink(group));
                followed.extend(sinks.map(|group| (group.to_owned(), Topic::Aggregates)));
                self.groups.retain(|group, _| followed.iter().any(|(other, _)| other == group));
            }
            // Not everybody may list groups; those that were named are followed anyway.
            Err(error) => tracing::debug!(%error, "the consumer groups can't be listed"),
        }
        for (group, topic) in followed {
            if self.groups.len() < GROUPS && !self.groups.contains_key(&group) {
                let config = self.config.clone().set("group.id", &group).clone();
                match config.create_with_context(Context::default()) {
                    Ok(client) => drop(self.groups.insert(group, (topic, client))),
                    Err(error) => tracing::warn!(group, %error, "the group can't be followed"),
                }
            }
        }
    }

    fn report(&self) -> KafkaResult<LagReport> {
        let mut report = LagReport::default();
        let mut partitions = BTreeMap::new();
        for topic in [Topic::Metrics, Topic::Aggregates] {
            let name = self.options.topic(topic);
            let metadata = self.consumer.fetch_metadata(Some(name), TIMEOUT)?;
            let Some(metadata) = metadata.topics().first().filter(|topic| topic.error().is_none()) else {
                continue;
            };
            let mut list = TopicPartitionList::new();
            let mut end = 0;
            for partition in metadata.partitions() {
                end += self.consumer.fetch_watermarks(name, partition.id(), TIMEOUT)?.1;
                list.add_partition(name, partition.id());
            }
            if list.count() > 0 {
                report.log_ends.push((topic, end));
                partitions.insert(name, list);
            }
        }
        for (group, (topic, client)) in &self.groups {
            let Some(list) = partitions.get(self.options.topic(*topic)) else {
                continue;
            };
            let committed = match client.committed_offsets(list.clone(), TIMEOUT) {
                Ok(committed) => next_offset(&committed),
                Err(error) => {
                    tracing::debug!(group, %error, "the committed offset is not to be had");
                    None
                }
            };
            report.groups.push(GroupOffset { group: group.clone(), topic: *topic, committed });
        }
        Ok(report)
    }
}

/// The sum of the partitions' offsets, which is the offset where there is one partition; none if none is committed.
fn next_offset(partitions: &TopicPartitionList) -> Option<i64> {
    let offsets = partitions.elements();
    let committed = offsets.iter().filter_map(|partition| match partition.offset() {
        Offset::Offset(next) => Some(next),
        _ => None,
    });
    committed.reduce(|sum, next| sum + next)
}
