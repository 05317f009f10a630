use quipu_config::Config;
use rdkafka::Message as _;
use rdkafka::message::BorrowedMessage;

use crate::check::{Check, Published};
use crate::error::Error;
use crate::fold::LogRecord;
use crate::kafka::{Ends, Kafka, Progress};
use crate::names::Names;
use crate::report::Report;
use crate::retention::Retention;
use crate::snapshot::Snapshot;

/// Compares every total on `metrics-agg` with what `metrics` gives at the offset that the total carries, and compares
/// the rows of the changelog with `metrics`. An aggregator may be running.
///
/// # Errors
/// Kafka can't be read. A difference is not an error.
pub fn verify(config: &Config, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Report, Error> {
    let kafka = Kafka::new(config)?;
    let topics = &config.topics;
    for topic in [&topics.metrics, &topics.aggregates] {
        if !kafka.has(topic)? {
            return Err(Error::NoTopic(topic.clone()));
        }
    }
    // The order matters. The changelog is read first: its rows were committed together with their totals, so the totals
    // that are read afterwards reflect them. The log is read last, so it has all records that both refer to.
    let mut names = Names::default();
    let snapshot = read_changelog(&kafka, &topics.state, &mut names, progress)?;
    let mut published = Published::default();
    let ends = kafka.settled(&topics.aggregates)?;
    kafka.read(&topics.aggregates, ends, progress, |message| {
        published.see(message.key(), message.payload());
        Ok(())
    })?;
    let mut check = Check::new(names, snapshot, published, config, Retention::new(config));
    let log = kafka.ends(&topics.metrics)?;
    check.set_log(log.begin, log.end);
    if let Some(last) = check.until() {
        let ends = Ends { end: log.end.min(last.saturating_add(1)), ..log };
        kafka.read(&topics.metrics, ends, progress, |message| {
            check.record(log_record(message));
            Ok(())
        })?;
    }
    Ok(check.finish())
}

/// A record of `metrics`.
pub(crate) fn log_record<'m>(message: &'m BorrowedMessage<'_>) -> LogRecord<'m> {
    let (offset, timestamp) = (message.offset(), message.timestamp());
    LogRecord { offset, timestamp, key: message.key(), value: message.payload() }
}

/// Reads the changelog, if there is one.
pub(crate) fn read_changelog(
    kafka: &Kafka<'_>,
    topic: &str,
    names: &mut Names,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot::default();
    if kafka.has(topic)? {
        let ends = kafka.ends(topic)?;
        kafka.read(topic, ends, progress, |message| {
            let Some(key) = message.key() else { return Ok(()) };
            snapshot.see(key, message.payload(), names).map_err(|why| Error::Changelog {
                topic: topic.to_owned(),
                offset: message.offset(),
                why,
            })
        })?;
    }
    Ok(snapshot)
}
