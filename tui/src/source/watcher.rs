use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use quipu_kafka::Logged;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::groups::GroupInfo;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::client::{Context, drain};
use super::options::SourceOptions;
use super::reader::Gone;
use super::stop::Stop;
use crate::batch::{Batch, Connection, GroupOffset, LagReport, Topic};

/// A request to a broker is repeated at the next tick after this time without an answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How often librdkafka's events are read between two ticks.
const POLL: Duration = Duration::from_millis(100);
/// How often all groups are listed, which is expensive on a large cluster.
const DISCOVERY: Duration = Duration::from_secs(30);
/// How many groups are watched; each needs a client of its own.
const GROUPS: usize = 32;

/// Reads log ends and committed offsets, and thereby checks whether the brokers answer.
pub(super) struct Watcher {
    options: SourceOptions,
    config: ClientConfig,
    logged: Logged,
    consumer: BaseConsumer<Context>,
    batches: SyncSender<Batch>,
    stop: Stop,
    groups: BTreeMap<String, (Topic, BaseConsumer<Context>)>,
}

impl Watcher {
    pub(super) fn new(
        options: SourceOptions,
        config: ClientConfig,
        logged: Logged,
        batches: SyncSender<Batch>,
        stop: Stop,
    ) -> KafkaResult<Self> {
        let consumer = config.create_with_context(Context::new(&logged))?;
        Ok(Self { options, config, logged, consumer, batches, stop, groups: BTreeMap::new() })
    }

    /// Sends a lag report per interval, until the watcher is stopped or the receiver of the batches is dropped.
    pub(super) fn run(&mut self) -> Result<(), Gone> {
        let mut discovery: Option<Instant> = None;
        while !self.stop.is_set() {
            let next = Instant::now() + self.options.lag_interval;
            let mut report = self.report();
            if report.is_ok() && discovery.is_none_or(|last| last.elapsed() >= DISCOVERY) {
                // Groups are listed only after a broker has answered, and the first report already has them.
                discovery = Some(Instant::now());
                self.discover();
                report = self.report();
            }
            match report {
                Ok(report) => {
                    // Queued events are errors from before this success.
                    drain(&self.consumer);
                    self.consumer.context().clear_failure();
                    self.batches.send(Batch::Connection(Connection::Connected))?;
                    self.batches.send(Batch::Lag(report))?;
                }
                Err(error) => {
                    tracing::debug!(%error, "log ends and committed offsets can't be read; retrying");
                    // Polling passes the log line with the reason to the context.
                    drop(self.consumer.poll(POLL));
                    drain(&self.consumer);
                    let reason = self.consumer.context().reason(&error);
                    self.batches.send(Batch::Connection(Connection::Lost { reason }))?;
                }
            }
            while !self.stop.is_set() && Instant::now() < next {
                // No partition is assigned, so all events are errors, which the context has logged already.
                drain(&self.consumer);
                self.groups.values().for_each(|(_, client)| drain(client));
                self.stop.wait(POLL);
            }
        }
        Ok(())
    }

    /// Finds the groups to watch, and drops the groups that do not exist any more.
    fn discover(&mut self) {
        let mut watched = self.options.groups();
        match self.consumer.fetch_group_list(None, TIMEOUT) {
            Ok(list) => {
                let sinks = list.groups().iter().map(GroupInfo::name).filter(|group| self.options.is_sink(group));
                watched.extend(sinks.map(|group| (group.to_owned(), Topic::Aggregates)));
                self.groups.retain(|group, _| watched.iter().any(|(other, _)| other == group));
            }
            // The user may lack the right to list groups; the groups of the options are watched anyway.
            Err(error) => tracing::debug!(%error, "the consumer groups can't be listed"),
        }
        for (group, topic) in watched {
            if self.groups.len() < GROUPS && !self.groups.contains_key(&group) {
                let config = self.config.clone().set("group.id", &group).clone();
                match config.create_with_context(Context::new(&self.logged)) {
                    Ok(client) => drop(self.groups.insert(group, (topic, client))),
                    Err(error) => tracing::warn!(group, %error, "the group can't be watched"),
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
                    tracing::debug!(group, %error, "the committed offset can't be read");
                    None
                }
            };
            report.groups.push(GroupOffset { group: group.clone(), topic: *topic, committed });
        }
        Ok(report)
    }
}

/// Returns the sum of the partitions' committed offsets; `None` without a commit. With one partition, this is its offset.
fn next_offset(partitions: &TopicPartitionList) -> Option<i64> {
    let offsets = partitions.elements();
    let committed = offsets.iter().filter_map(|partition| match partition.offset() {
        Offset::Offset(next) => Some(next),
        _ => None,
    });
    committed.reduce(|sum, next| sum + next)
}
