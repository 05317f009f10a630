//! The table that an aggregator would build, read with an ordinary consumer.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use quipu_broker::EmbeddedBroker;
use quipu_record::{Ranges, Record, decode};
use quipu_reporter::{KafkaReporter, KafkaReporterBuilder, Stats};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

pub(crate) const TOPIC: &str = "metrics";
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn broker() -> EmbeddedBroker {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    broker
}

/// A builder with short intervals, so that tests are fast.
pub(crate) fn builder(broker: &EmbeddedBroker) -> KafkaReporterBuilder {
    KafkaReporter::builder(broker.bootstrap_servers())
        .instance("app-1")
        .interval(Duration::from_millis(20))
        .property("reconnect.backoff.ms", "10")
        .property("reconnect.backoff.max.ms", "100")
}

/// Waits until the reporter's statistics fulfil the condition.
pub(crate) fn wait_for(reporter: &KafkaReporter, what: &str, is_true: impl Fn(&Stats) -> bool) -> Stats {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let stats = reporter.stats();
        if is_true(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {what}: {stats:#?}");
        #[expect(clippy::disallowed_methods, reason = "statistics have to be polled")]
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) instance: String,
    pub(crate) run: String,
    pub(crate) part: u32,
    pub(crate) at: i64,
    pub(crate) seq: u64,
    pub(crate) is_final: bool,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) ranges: BTreeMap<String, Ranges>,
}

pub(crate) struct Table {
    consumer: BaseConsumer,
    pub(crate) rows: BTreeMap<String, Row>,
    /// All reports, oldest first, if the history is kept.
    pub(crate) history: Vec<Row>,
    keeps_history: bool,
}

impl Table {
    pub(crate) fn new(broker: &EmbeddedBroker) -> Self {
        Self::of(&broker.bootstrap_servers(), TOPIC)
    }

    pub(crate) fn of(brokers: &str, topic: &str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "table")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10")
            .set("reconnect.backoff.max.ms", "100")
            .create()
            .unwrap();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&start).unwrap();
        Self { consumer, rows: BTreeMap::new(), history: Vec::new(), keeps_history: false }
    }

    /// Reads to the end that the topic has now.
    pub(crate) fn read_to_end(&mut self) {
        loop {
            match self.consumer.poll(DEADLINE).expect("no end before the deadline") {
                Ok(message) => {
                    let message = message.detach();
                    self.take(message.key(), message.payload());
                }
                Err(KafkaError::PartitionEOF(_)) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn with_history(broker: &EmbeddedBroker) -> Self {
        Self { keeps_history: true, ..Self::new(broker) }
    }

    /// Reads until the table fulfils the condition.
    pub(crate) fn read_until(&mut self, what: &str, is_true: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_true(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "timed out waiting for {what}: {:#?}", self.rows);
            if let Some(Ok(message)) = self.consumer.poll(left.min(Duration::from_millis(100))) {
                let message = message.detach();
                self.take(message.key(), message.payload());
            }
        }
    }

    /// Checks a report as an aggregator does, and that no run reports after its final report.
    fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let record = decode(key, value).unwrap();
        let Record::Report { key, report } = record else { panic!("not a report: {record:?}") };
        let counts: BTreeMap<_, _> =
            report.values().map(|(series, quipu_record::Value::Counter(value))| (series.to_string(), value)).collect();
        assert_eq!(counts.len(), report.len(), "a series is in the report twice");
        let ranges: BTreeMap<_, _> =
            report.ranges().map(|(series, value)| (series.to_string(), value.clone())).collect();
        assert_eq!(ranges.len(), report.ranges().len(), "ranges are in the report twice");
        if let Some(before) = self.rows.get(&key.to_string()) {
            assert!(report.seq > before.seq, "sequence {} after {}", report.seq, before.seq);
            assert!(!before.is_final, "a report after the final one");
            for (series, before) in &before.counts {
                assert!(counts.get(series).is_some_and(|after| after >= before), "{series} went back or vanished");
            }
            for (series, before) in &before.ranges {
                assert!(ranges.get(series).is_some_and(|after| after.continues(before)), "{series} shrank or vanished");
            }
        }
        let row = Row {
            instance: key.instance.to_owned(),
            run: key.run.to_string(),
            part: key.part,
            at: report.at.0,
            seq: report.seq,
            is_final: report.is_final,
            counts,
            ranges,
        };
        if self.keeps_history {
            self.history.push(row.clone());
        }
        self.rows.insert(key.to_string(), row);
    }

    /// The counts of one run; each series may be in one part only.
    pub(crate) fn run(&self, run: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (series, value) in self.rows.values().filter(|row| row.run == run).flat_map(|row| &row.counts) {
            assert!(counts.insert(series.clone(), *value).is_none(), "{series} is in two parts");
        }
        counts
    }

    pub(crate) fn all_final(&self) -> bool {
        !self.rows.is_empty() && self.rows.values().all(|row| row.is_final)
    }
}
