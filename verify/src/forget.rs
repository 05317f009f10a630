//! Removes an instance from the totals: writes tombstones for its rows, and checks the totals that follow.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use quipu_config::Config;
use quipu_kafka::{Bounded, Logged, client_config};
use quipu_record::{Aggregate, Key, Record, Series, decode};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{Message as _, Offset};

use crate::error::Error;
use crate::fold::Fold;
use crate::kafka::{Ends, Kafka, Progress};
use crate::names::Names;
use crate::verify::read_changelog;

const POLL: Duration = Duration::from_millis(100);
/// Longer than the producer's `message.timeout.ms`.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// What to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// All runs of an instance.
    Instance(String),
    /// The row of one key, such as a plain counter's.
    Key(String),
}

/// A target whose rows were found.
pub struct Forgetting<'c> {
    config: &'c Config,
    kafka: Kafka<'c>,
    target: Target,
    fold: Fold,
    /// The latest record of each of its keys.
    latest: HashMap<Box<[u8]>, LatestRecord>,
    next: i64,
}

/// The amount by which a total goes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtraction {
    /// The total's series.
    pub series: Series,
    /// The amount.
    pub count: i128,
    /// The total before the subtraction.
    pub total: i128,
}

/// Whether the target still reports, so that its rows would come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// All of the target's runs have left or are silent.
    Gone,
    /// One of its keys had a recent record, and that was not a final report.
    Reporting {
        /// The key.
        key: String,
        /// The age of its latest record, in ms.
        ago_ms: i64,
        /// The age from which on the key counts as silent, in ms.
        silent_after_ms: i64,
    },
}

#[derive(Debug, Clone, Copy)]
struct LatestRecord {
    at: i64,
    left: bool,
    interval_ms: i64,
    /// The sequence number of a run's report; otherwise 0.
    seq: u64,
}

impl Target {
    fn is(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(text) => text.as_bytes() == key,
            Self::Instance(name) => matches!(Key::decode(Some(key)), Ok(Key::Run(run)) if run.instance == name),
        }
    }
}

impl<'c> Forgetting<'c> {
    /// Reads the log and finds the target's rows.
    ///
    /// # Errors
    /// Kafka can't be read.
    pub fn find(config: &'c Config, target: Target, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Self, Error> {
        let kafka = Kafka::new(config)?;
        for topic in [&config.topics.metrics, &config.topics.aggregates] {
            if !kafka.has(topic)? {
                return Err(Error::NoTopic(topic.clone()));
            }
        }
        let mut names = Names::default();
        let snapshot = read_changelog(&kafka, &config.topics.state, &mut names, progress)?;
        let fold = Fold::new(names, snapshot);
        let next = kafka.ends(&config.topics.metrics)?.begin;
        let mut forgetting = Self { config, kafka, target, fold, latest: HashMap::new(), next };
        forgetting.read_on(progress)?;
        Ok(forgetting)
    }

    /// Reads the records that came since.
    ///
    /// # Errors
    /// Kafka can't be read.
    pub fn read_on(&mut self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), Error> {
        let end = self.kafka.ends(&self.config.topics.metrics)?.end;
        self.read_until(end, progress)?;
        self.fold.advance(end - 1);
        Ok(())
    }

    /// The number of the target's rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.keys().len()
    }

    /// What would be subtracted from each series.
    #[must_use]
    pub fn subtractions(&self) -> Vec<Subtraction> {
        let mut counts = BTreeMap::<&Series, i128>::new();
        let rows = self.fold.keys().filter(|key| self.target.is(key)).filter_map(|key| self.fold.row(key));
        for (id, count) in rows.flat_map(crate::row::Row::contributions) {
            *counts.entry(self.fold.names.get(id)).or_default() += count;
        }
        let subtraction = |(series, count): (&Series, i128)| Subtraction {
            series: series.clone(),
            count,
            total: self.fold.sum(series).count,
        };
        counts.into_iter().map(subtraction).collect()
    }

    /// Whether the target is still reporting at `now`, in ms since 1970.
    #[must_use]
    pub fn liveness(&self, now: i64) -> Liveness {
        let timeout = i64::try_from(self.config.instance_timeout.as_millis()).unwrap_or(i64::MAX);
        let alive = self.latest.iter().filter(|(_, latest)| !latest.left).find_map(|(key, latest)| {
            let silent_after_ms = timeout.max(latest.interval_ms.saturating_mul(3));
            let ago_ms = now.saturating_sub(latest.at);
            let key = String::from_utf8_lossy(key).into_owned();
            (ago_ms < silent_after_ms).then_some(Liveness::Reporting { key, ago_ms, silent_after_ms })
        });
        alive.unwrap_or(Liveness::Gone)
    }

    /// Writes a tombstone for each of the rows, and waits up to `timeout` until the totals reflect them. Returns these
    /// totals.
    ///
    /// # Errors
    /// Kafka does not accept a tombstone, or the totals do not reflect them in time.
    pub fn forget(
        mut self,
        timeout: Duration,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Aggregate>, Error> {
        let affected: BTreeSet<Series> =
            self.subtractions().into_iter().map(|subtraction| subtraction.series).collect();
        let topic = &self.config.topics.aggregates;
        let from = self.kafka.ends(topic)?.end;
        let reader = self.kafka.reader(topic, Offset::Offset(from))?;
        let Some(written) = write_tombstones(self.config, &self.keys())? else { return Ok(Vec::new()) };
        let deadline = Instant::now() + timeout;
        let mut published = BTreeMap::new();
        while let Some(missing) = affected.iter().find(|series| !published.contains_key(*series)) {
            if Instant::now() > deadline {
                let (offset, seconds, series) = (written, timeout.as_secs(), missing.to_string());
                return Err(Error::NotShown { offset, seconds, series });
            }
            if let Some(Ok(message)) = reader.poll(POLL)
                && let Some(aggregate) = message.payload().and_then(|value| Aggregate::decode(value).ok())
                && aggregate.offset.0 >= written
                && affected.contains(&aggregate.series)
            {
                published.insert(aggregate.series.clone(), aggregate);
            }
        }
        let mut published: Vec<_> = published.into_values().collect();
        published.sort_by_key(|aggregate| aggregate.offset);
        for aggregate in &published {
            let offset = aggregate.offset.0;
            self.read_until(offset + 1, progress)?;
            self.fold.advance(offset);
            let expected = self.fold.sum(&aggregate.series).count;
            if expected != aggregate.count {
                let (series, found) = (aggregate.series.to_string(), aggregate.count);
                return Err(Error::Wrong { series, expected, found, offset });
            }
        }
        published.sort_by(|a, b| a.series.cmp(&b.series));
        Ok(published)
    }

    fn keys(&self) -> Vec<Box<[u8]>> {
        self.fold.keys().filter(|key| self.target.is(key)).map(Into::into).collect()
    }

    fn read_until(&mut self, end: i64, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), Error> {
        if self.next >= end {
            return Ok(());
        }
        let topic = &self.config.topics.metrics;
        let Self { kafka, fold, latest, target, next, .. } = self;
        kafka.read(topic, Ends { begin: *next, end }, progress, |message| {
            *next = message.offset() + 1;
            fold.apply(message.offset(), message.key(), message.payload());
            if let Some(key) = message.key().filter(|key| target.is(key)) {
                let before = latest.get(key).copied();
                latest.insert(key.into(), latest_record(message, before));
            }
            Ok(())
        })
    }
}

/// The liveness of a key after a record. A bad record counts as a sign of life; a stale one does not.
fn latest_record(message: &BorrowedMessage<'_>, before: Option<LatestRecord>) -> LatestRecord {
    let at = message.timestamp().to_millis().unwrap_or(0);
    let alive = LatestRecord { at, left: false, interval_ms: 0, seq: before.map_or(0, |before| before.seq) };
    match decode(message.key(), message.payload()) {
        Ok(Record::Tombstone { .. }) => LatestRecord { left: true, seq: 0, ..alive },
        Ok(Record::Report { report, .. }) => match before {
            Some(before) if report.seq < before.seq => before,
            _ => {
                let interval_ms = i64::try_from(report.interval_ms).unwrap_or(i64::MAX);
                LatestRecord { left: report.is_final, interval_ms, seq: report.seq, ..alive }
            }
        },
        Ok(Record::Plain { .. }) | Err(_) => alive,
    }
}

/// Writes the tombstones and returns the offset of the last one.
fn write_tombstones(config: &Config, keys: &[Box<[u8]>]) -> Result<Option<i64>, Error> {
    let mut client = client_config(config.client_properties());
    client.set("enable.idempotence", "true").set("acks", "all").set("message.timeout.ms", "30000");
    let producer: BaseProducer<Deliveries> = client.create_with_context(Deliveries::new()).map_err(Error::Client)?;
    let producer = Bounded::new(producer).map_err(Error::Thread)?;
    let refused = |key: &[u8], source| Err(Error::Tombstone { key: String::from_utf8_lossy(key).into_owned(), source });
    let deadline = Instant::now() + FLUSH_TIMEOUT;
    for key in keys {
        let mut record = BaseRecord::<[u8], [u8]>::to(&config.topics.metrics).key(key);
        while let Err((error, again)) = producer.send(record) {
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !is_full || Instant::now() > deadline {
                return refused(key, error);
            }
            producer.poll(POLL);
            record = again;
        }
    }
    // The flush waits longer than the producer retries, so every delivery has succeeded or failed when it returns.
    let flushed = producer.flush(FLUSH_TIMEOUT);
    let mut delivered = producer.context().delivered.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((key, error)) = delivered.refused.take() {
        return refused(&key, error);
    }
    match (flushed, keys.first()) {
        (Err(error), Some(key)) => refused(key, error),
        _ => Ok(delivered.last),
    }
}

struct Deliveries {
    logged: Logged,
    delivered: Mutex<Delivered>,
}

impl Deliveries {
    fn new() -> Self {
        Self { logged: Logged::new("tombstones"), delivered: Mutex::default() }
    }
}

#[derive(Default)]
struct Delivered {
    last: Option<i64>,
    refused: Option<(Vec<u8>, KafkaError)>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logged.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logged.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(message) => {
                self.logged.works();
                delivered.last = delivered.last.max(Some(message.offset()));
            }
            Err((error, message)) => {
                delivered.refused = Some((message.key().unwrap_or_default().into(), error.clone()));
            }
        }
    }
}
