//! A reader of `metrics-agg` that uses nothing but the topic, and checks what the topic guarantees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use quipu_record::{Aggregate, Total};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::Cluster;
use crate::waiting::DEADLINE;

/// Each call continues where the last one ended, so the reader sees every published total in order.
pub struct Outsider {
    consumer: BaseConsumer,
    latest: BTreeMap<String, Aggregate>,
    went_back: Vec<String>,
    removed: BTreeSet<String>,
}

impl Outsider {
    pub fn new(cluster: &Cluster, topic: &str) -> Self {
        let consumer = cluster.consumer();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&start).unwrap();
        Self { consumer, latest: BTreeMap::new(), went_back: Vec::new(), removed: BTreeSet::new() }
    }

    /// Reads until each of the series has its total.
    #[track_caller]
    pub fn until(&mut self, totals: &[(&str, i128)]) {
        let began = Instant::now();
        while !totals.iter().all(|(series, total)| self.total(series) == Some(*total)) {
            assert!(began.elapsed() < DEADLINE, "waited {DEADLINE:?} for {totals:?}: {:#?}", self.totals());
            self.poll();
        }
    }

    /// Reads until the series' total is above `more_than`; returns the total.
    #[track_caller]
    pub fn until_beyond(&mut self, series: &str, more_than: i128) -> i128 {
        let began = Instant::now();
        loop {
            match self.total(series) {
                Some(total) if total > more_than => return total,
                _ => assert!(began.elapsed() < DEADLINE, "{series} is not beyond {more_than}: {:#?}", self.totals()),
            }
            self.poll();
        }
    }

    /// Reads to the current end of the topic.
    #[track_caller]
    pub fn read_to_end(&mut self) {
        let began = Instant::now();
        while !self.poll() {
            assert!(began.elapsed() < DEADLINE, "waited {DEADLINE:?} for the end of the topic");
        }
    }

    /// The latest total of a series.
    pub fn total(&self, series: &str) -> Option<i128> {
        self.latest.get(series).map(count_of)
    }

    /// Whether the newest record of the series is a tombstone.
    pub fn is_removed(&self, series: &str) -> bool {
        self.removed.contains(series)
    }

    /// The latest totals of all series except the aggregator's own.
    pub fn totals(&self) -> BTreeMap<&str, i128> {
        let all = self.latest.iter().map(|(series, aggregate)| (series.as_str(), count_of(aggregate)));
        all.filter(|(series, _)| !series.starts_with("quipu_")).collect()
    }

    /// The latest aggregate of each series.
    pub fn latest(&self) -> &BTreeMap<String, Aggregate> {
        &self.latest
    }

    /// The cases in which a series' count, time or offset was lower than before.
    pub fn went_back(&self) -> &[String] {
        &self.went_back
    }

    /// Reads the next record, if there is one. Returns whether the end of the topic was reached.
    fn poll(&mut self) -> bool {
        let message = match self.consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(_))) => return true,
            // No record came, or the broker is starting or down; librdkafka retries.
            None
            | Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
            ))) => return false,
            Some(Err(error)) => panic!("{error}"),
        };
        let Some(value) = message.payload() else {
            let series = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
            assert_eq!(self.total(&series), Some(0), "the tombstone of {series} follows its zero");
            self.removed.insert(series);
            return false;
        };
        let aggregate = Aggregate::decode(value).unwrap();
        let series = aggregate.series.to_string();
        assert_eq!(message.key(), Some(series.as_bytes()));
        if let Some(before) = self.latest.get(&series) {
            let went_back = [
                ("count", count_of(before) > count_of(&aggregate)),
                ("timestamp", before.timestamp > aggregate.timestamp),
                ("offset", before.offset > aggregate.offset),
            ];
            for (what, _) in went_back.iter().filter(|(_, back)| *back) {
                self.went_back.push(format!("{what} of {series}: {before:?}, then {aggregate:?}"));
            }
        }
        self.removed.remove(&series);
        self.latest.insert(series, aggregate);
        false
    }
}

/// The number that an aggregate publishes.
pub fn count_of(aggregate: &Aggregate) -> i128 {
    let (Total::Counter(count) | Total::Delta(count)) = aggregate.total;
    count
}
