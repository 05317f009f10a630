//! The topics that are read: the same counts as plain counters and as reports.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use quipu_testkit::Cluster;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseRecord, Producer as _};

const INSTANCES: u64 = 100;
/// The number of metrics of every instance.
const METRICS: u64 = 200;
/// The number of counters in a report.
const REPORTED: u64 = 100;

/// A topic, and the totals of its records.
pub(crate) struct Load {
    pub(crate) topic: String,
    /// The number of counters in all its records.
    pub(crate) counters: u64,
    /// The totals by metric name.
    pub(crate) totals: HashMap<String, u64>,
}

impl Load {
    /// A topic without records, as the aggregator would create it.
    pub(crate) fn empty(cluster: &Cluster, name: &str) -> Self {
        let settings = [
            ("cleanup.policy", "compact,delete"),
            ("min.compaction.lag.ms", "86400000"),
            ("message.timestamp.type", "LogAppendTime"),
        ];
        Self { topic: cluster.create_topic(name, 1, &settings), counters: 0, totals: HashMap::new() }
    }

    /// A topic with this number of plain counters.
    pub(crate) fn plain(cluster: &Cluster, name: &str, records: u64) -> Result<Self> {
        let mut load = Self::empty(cluster, name);
        load.grow(cluster, records, None)?;
        Ok(load)
    }

    /// Adds plain counters as JSON in the format of the original system, at this rate per second if one is given. Each
    /// instance sends all its counters in one batch, one instance after the other.
    pub(crate) fn grow(&mut self, cluster: &Cluster, records: u64, rate: Option<u64>) -> Result<()> {
        const KEYS: u64 = INSTANCES * METRICS;
        let count = |key: u64, times: u64| times * (1 + key % 7);
        let all = (self.counters..self.counters + records).map(|record| {
            let (key, times) = (record % KEYS, record / KEYS + 1);
            let (instance, metric, count) = (key / METRICS, key % METRICS, count(key, times));
            let value =
                format!(r#"{{"type":"COUNTER","name":"metric_{metric}","count":{count},"timestamp":"1718900012"}}"#);
            (format!("app-{instance}:metric_{metric}"), value)
        });
        produce(cluster, &self.topic, METRICS, rate, all)?;
        self.counters += records;
        self.totals.clear();
        for key in 0..KEYS.min(self.counters) {
            let times = (self.counters - key).div_ceil(KEYS);
            *self.totals.entry(format!("metric_{}", key % METRICS)).or_default() += count(key, times);
        }
        Ok(())
    }

    /// A topic with this number of counters in reports of a hundred; every report is a batch of its own.
    pub(crate) fn reports(cluster: &Cluster, name: &str, counters: u64) -> Result<Self> {
        const RUNS: u64 = INSTANCES * METRICS / REPORTED;
        let mut load = Self::empty(cluster, name);
        let reports = counters / REPORTED;
        let counter = |run: u64, counter: u64, times: u64| {
            let metric = run % (METRICS / REPORTED) * REPORTED + counter;
            (format!("metric_{metric}"), times * (1 + counter % 7))
        };
        let all = (0..reports).map(|report| {
            let (run, seq) = (report % RUNS, report / RUNS);
            let id = format!("01920000-0000-7000-8000-{run:012}");
            let counters: Vec<String> = (0..REPORTED)
                .map(|index| {
                    let (name, count) = counter(run, index, seq + 1);
                    format!(r#"{{"name":"{name}","value":{count}}}"#)
                })
                .collect();
            let counters = counters.join(",");
            let value = format!(
                r#"{{"v":1,"instance":"app-{run}","run":"{id}","at":1718900012345,"seq":{seq},"interval_ms":1000,"final":false,"counters":[{counters}]}}"#
            );
            (format!("app-{run}/{id}"), value)
        });
        produce(cluster, &load.topic, 1, None, all)?;
        load.counters = reports * REPORTED;
        for run in 0..RUNS.min(reports) {
            let times = (reports - run).div_ceil(RUNS);
            for index in 0..REPORTED {
                let (name, count) = counter(run, index, times);
                *load.totals.entry(name).or_default() += count;
            }
        }
        Ok(load)
    }
}

/// Sends records in batches of this size, compressed as the reporter does by default; waits until Kafka has them.
fn produce(
    cluster: &Cluster,
    topic: &str,
    batch: u64,
    rate: Option<u64>,
    records: impl Iterator<Item = (String, String)>,
) -> Result<()> {
    let batch = batch.to_string();
    let producer = cluster.producer(&[
        ("batch.num.messages", &batch),
        ("linger.ms", "50"),
        ("compression.type", "lz4"),
        ("enable.idempotence", "true"),
    ]);
    let began = Instant::now();
    for (sent, (key, value)) in (0_u32..).zip(records) {
        let due = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) * sent / u32::try_from(rate).unwrap_or(1));
        while let Some(early) = due.checked_sub(began.elapsed()).filter(|early| !early.is_zero()) {
            producer.poll(early);
        }
        let mut record = BaseRecord::to(topic).key(&key).payload(&value);
        while let Err((error, again)) = producer.send(record) {
            ensure!(error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull), "can't load {topic}: {error}");
            producer.poll(Duration::from_millis(100));
            record = again;
        }
    }
    producer.flush(Duration::from_secs(60)).map_err(|error| anyhow!("can't load {topic}: {error}"))
}
