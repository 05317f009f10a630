//! A reader of the totals. For Quipu and for Kafka Streams, a total counts when it is readable.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use quipu_testkit::Cluster;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(900);

/// Reads a topic of totals, from its beginning.
pub(crate) struct Totals {
    consumer: BaseConsumer,
    latest: HashMap<String, u64>,
}

impl Totals {
    pub(crate) fn read(cluster: &Cluster, topic: &str) -> Result<Self> {
        let consumer = cluster.consumer();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(topic, 0, Offset::Beginning)?;
        consumer.assign(&start)?;
        Ok(Self { consumer, latest: HashMap::new() })
    }

    /// Reads the next total; returns when it was readable.
    pub(crate) fn next(&mut self) -> Result<Instant> {
        let began = Instant::now();
        loop {
            if let Some(at) = self.poll(Duration::from_secs(1))? {
                return Ok(at);
            }
            ensure!(began.elapsed() < DEADLINE, "no total for {DEADLINE:?}");
        }
    }

    /// Reads until the totals are equal to these; returns when the last one was readable.
    pub(crate) fn until(&mut self, totals: &HashMap<String, u64>) -> Result<Instant> {
        let began = Instant::now();
        let mut at = began;
        while let Some((name, total)) = totals.iter().find(|(name, total)| self.latest.get(*name) != Some(*total)) {
            ensure!(began.elapsed() < DEADLINE, "{name} is {:?} and never became {total}", self.latest.get(name));
            at = self.next()?;
        }
        Ok(at)
    }

    /// Reads all totals that the topic has now. Later ones are then read without delay: librdkafka waits half a second
    /// after its first fetch from a new topic.
    pub(crate) fn catch_up(&mut self) -> Result<()> {
        while self.poll(Duration::from_secs(1))?.is_some() {}
        Ok(())
    }

    /// The latest total of a series.
    pub(crate) fn get(&self, name: &str) -> u64 {
        self.latest.get(name).copied().unwrap_or_default()
    }

    /// The latest totals of these series.
    pub(crate) fn of(&self, series: &HashMap<String, u64>) -> HashMap<String, u64> {
        self.latest
            .iter()
            .filter(|(name, _)| series.contains_key(*name))
            .map(|(name, count)| (name.clone(), *count))
            .collect()
    }

    /// Reads one total, if one comes within the timeout.
    pub(crate) fn poll(&mut self, timeout: Duration) -> Result<Option<Instant>> {
        match self.consumer.poll(timeout) {
            Some(Ok(message)) => {
                let at = Instant::now();
                let value: Value = serde_json::from_slice(message.payload().context("a total without a value")?)?;
                let (name, count) = (value["name"].as_str(), value["count"].as_u64());
                let (Some(name), Some(count)) = (name, count) else { bail!("no total: {value}") };
                self.latest.insert(name.to_owned(), count);
                Ok(Some(at))
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => Ok(None),
            Some(Err(error)) => Err(error.into()),
        }
    }
}
