//! Sends the records `0`, `1`, `2`, … and counts those that a broker acknowledged. The value of a record is its id.

use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use metrics::{Counter, counter};
use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};

use super::pace::{Pace, room};
use super::parent::{Command, commands};
use super::{Connection, PARTITIONS, ProducerArgs};
use crate::watch::lag::GroupWatch;

/// The producer sends a batch this often. (librdkafka's poll spins for the last millisecond, so a shorter time would
/// use much CPU.)
const BEAT: Duration = Duration::from_millis(20);
/// The committed offsets of the consumers are read this often.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn run(args: &ProducerArgs) -> Result<()> {
    let commands = commands();
    let reporter = args.connection.reporter()?;
    let mut config = args.connection.client()?;
    config.set("enable.idempotence", "true").set("linger.ms", "20").set("queue.buffering.max.messages", "10000");
    let context = Acknowledgements { sent: counter!("records_sent"), refused: Mutex::new(None) };
    let producer = BaseProducer::from_config_and_context(&config, context).context("no producer could be created")?;

    send_records(args, &producer, &commands)?;

    producer.flush(TIMEOUT).context("some records were not acknowledged in time")?;
    producer.context().check()?;
    reporter.shutdown(TIMEOUT).context("the last report could not be sent")?;
    Ok(())
}

/// Sends records until all are sent or the parent sends `stop`.
fn send_records(
    args: &ProducerArgs,
    producer: &BaseProducer<Acknowledgements>,
    commands: &Receiver<Command>,
) -> Result<()> {
    let mut readers = Readers::watch(args)?;
    let mut pace = Pace::new(args.rate);
    let mut last_beat = Instant::now();
    let (mut next, mut limit) = (0, 0);
    while next < args.records {
        for command in commands.try_iter() {
            match command {
                Command::Limit(records) => limit = records,
                Command::Stop | Command::Quit => return Ok(()),
            }
        }
        let now = Instant::now();
        let allowed = pace.allow(now - last_beat);
        last_beat = now;
        let end = args.records.min(limit).min(readers.room(now)?).min(next.saturating_add(allowed));
        let start = next;
        while next < end && send(producer, &args.connection.topic, next)? {
            next += 1;
        }
        pace.sent(next - start);
        producer.poll(BEAT);
        producer.context().check()?;
    }
    Ok(())
}

/// Gives a record to librdkafka. Returns false if librdkafka's queue is full.
fn send(producer: &BaseProducer<Acknowledgements>, topic: &str, id: u64) -> Result<bool> {
    let value = id.to_string();
    // Round-robin, so that every partition always has an equal share.
    let partition = i32::try_from(id % u64::from(PARTITIONS.unsigned_abs()))?;
    match producer.send(BaseRecord::<(), str>::to(topic).partition(partition).payload(&value)) {
        Ok(()) => Ok(true),
        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(false),
        Err((error, _)) => Err(error).with_context(|| format!("record {id} could not be sent to {topic}")),
    }
}

/// Limits the producer, if there is a window, so that the topic never holds too many records that the consumers have not
/// read.
struct Readers {
    watch: Option<(GroupWatch, u64)>,
    asked: Option<Instant>,
    room: u64,
}

impl Readers {
    fn watch(args: &ProducerArgs) -> Result<Self> {
        let Connection { group, topic, .. } = &args.connection;
        let watch = args.window.map(|window| -> Result<_> {
            Ok((GroupWatch::new(&args.connection.client()?, group, topic, PARTITIONS)?, window))
        });
        Ok(Self { watch: watch.transpose()?, asked: None, room: 0 })
    }

    /// Returns the first id that may not be sent now.
    fn room(&mut self, now: Instant) -> Result<u64> {
        let Some((watch, window)) = &self.watch else { return Ok(u64::MAX) };
        if self.asked.is_none_or(|asked| now - asked >= WATCH_INTERVAL) {
            self.room = room(&watch.committed()?, *window);
            self.asked = Some(now);
        }
        Ok(self.room)
    }
}

/// Counts acknowledged records only: a record counts as sent when a broker has stored it.
struct Acknowledgements {
    sent: Counter,
    refused: Mutex<Option<KafkaError>>,
}

impl Acknowledgements {
    fn check(&self) -> Result<()> {
        match self.refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error).context("the broker rejected a record"),
            None => Ok(()),
        }
    }
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.sent.increment(1),
            Err((error, _)) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
            }
        }
    }
}
