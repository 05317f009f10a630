//! Removes counts from the totals: writes the records that remove them, and checks the totals that follow.

mod liveness;
mod target;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use quipu_config::Config;
use quipu_kafka::{Bounded, Logged, client_config};
use quipu_record::{Aggregate, Series, Total, decode};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{Message as _, Offset};

use crate::error::Error;
use crate::fold::Fold;
use crate::kafka::{Ends, Kafka, Progress};
use crate::names::Names;
use crate::retention::Retention;
use crate::row::Row;
use crate::verify::{log_record, read_changelog};
use liveness::LatestRecord;
use target::Removal;

pub use liveness::Liveness;
pub use target::Target;

const POLL: Duration = Duration::from_millis(100);
/// Longer than the producer's `message.timeout.ms`.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

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
        let fold = Fold::new(names, snapshot, Retention::new(config));
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
        self.rows_of_target().count()
    }

    /// The number of expired rows in the retired sum of the series that is the target.
    #[must_use]
    pub fn retired_rows(&self) -> u64 {
        match &self.target {
            Target::Series(series) => self.fold.retired(series).rows,
            _ => 0,
        }
    }

    /// How many runs and plain keys of the target expired not long ago. Their counts are part of retired sums and can't be
    /// removed one by one.
    #[must_use]
    pub fn expired(&self) -> usize {
        self.fold.expired().filter(|key| self.target.has_expired(key)).count()
    }

    /// What would be subtracted from each series.
    #[must_use]
    pub fn subtractions(&self) -> Vec<Subtraction> {
        let mut counts = BTreeMap::<&Series, i128>::new();
        if let Target::Series(series) = &self.target {
            let sum = self.fold.sum(series);
            counts.extend((sum.rows > 0).then_some((series, sum.count)));
        } else {
            for (id, count) in self.rows_of_target().flat_map(Row::contributions) {
                *counts.entry(self.fold.names.get(id)).or_default() += count;
            }
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
        let keys = self.latest.iter().map(|(key, latest)| latest.liveness(key, now, timeout));
        keys.max_by_key(|liveness| *liveness != Liveness::Gone).unwrap_or(Liveness::Gone)
    }

    /// Writes the records that remove the target, and waits up to `timeout` until the totals reflect them. Returns these
    /// totals.
    ///
    /// # Errors
    /// Kafka does not accept a record, or the totals do not reflect them in time.
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
        let Some(written) = write(self.config, &self.target, &self.target.removals(&self.fold))? else {
            return Ok(Vec::new());
        };
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
            let (Total::Counter(found) | Total::Delta(found)) = aggregate.total;
            if expected != found {
                let series = aggregate.series.to_string();
                return Err(Error::Wrong { series, expected, found, offset });
            }
        }
        published.sort_by(|a, b| a.series.cmp(&b.series));
        Ok(published)
    }

    fn rows_of_target(&self) -> impl Iterator<Item = &Row> {
        let rows = self.fold.rows().filter(|(key, row)| self.target.has_row(key, row, &self.fold));
        rows.map(|(_, row)| row)
    }

    fn read_until(&mut self, end: i64, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), Error> {
        if self.next >= end {
            return Ok(());
        }
        let topic = &self.config.topics.metrics;
        let Self { kafka, fold, latest, target, next, .. } = self;
        kafka.read(topic, Ends { begin: *next, end }, progress, |message| {
            *next = message.offset() + 1;
            fold.apply(log_record(message));
            if let Some(key) = message.key() {
                let record = decode(Some(key), message.payload()).ok();
                let before = latest.get(key).copied();
                if before.is_some() || target.has_record(key, record.as_ref()) {
                    let at = message.timestamp().to_millis().unwrap_or(0);
                    latest.insert(key.into(), LatestRecord::after(before, at, record.as_ref()));
                }
            }
            Ok(())
        })
    }
}

/// Writes the records and returns the offset of the last one.
fn write(config: &Config, target: &Target, removals: &[Removal]) -> Result<Option<i64>, Error> {
    let mut client = client_config(config.client_properties());
    client.set("enable.idempotence", "true").set("acks", "all").set("message.timeout.ms", "30000");
    let producer: BaseProducer<Deliveries> = client.create_with_context(Deliveries::new()).map_err(Error::Client)?;
    let producer = Bounded::new(producer).map_err(Error::Thread)?;
    let refused = |key: &[u8], source| {
        let what = match target {
            Target::Series(series) => format!("the request to forget {series}"),
            _ => format!("the tombstone of {}", String::from_utf8_lossy(key)),
        };
        Err(Error::Refused { what, source })
    };
    let deadline = Instant::now() + FLUSH_TIMEOUT;
    for Removal { key, value } in removals {
        let mut record = BaseRecord::<[u8], [u8]>::to(&config.topics.metrics).key(key);
        record.payload = value.as_deref();
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
    match (flushed, removals.first()) {
        (Err(error), Some(removal)) => refused(&removal.key, error),
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
