use quipu_config::Config;
use rdkafka::Message as _;

use crate::check::{Check, Said};
use crate::error::Error;
use crate::kafka::{Ends, Kafka, Progress};
use crate::names::Names;
use crate::report::Report;
use crate::snapshot::Snapshot;

/// Compares every total on `metrics-agg` with what `metrics` gives at the offset that the total carries, and the rows
/// of the changelog with it. An aggregator may be running.
///
/// # Errors
/// What keeps it from reading; a difference is no error.
pub fn verify(config: &Config, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Report, Error> {
    let kafka = Kafka::new(config)?;
    let topics = &config.topics;
    for topic in [&topics.metrics, &topics.aggregates] {
        if !kafka.has(topic)? {
            return Err(Error::NoTopic(topic.clone()));
        }
    }
    // In this order: whatever the changelog has, the totals were said of; and the log has what both name.
    let mut names = Names::default();
    let snapshot = read_changelog(&kafka, &topics.state, &mut names, progress)?;
    let committed = snapshot.committed();
    let mut said = Said::default();
    let ends = kafka.settled(&topics.aggregates)?;
    kafka.read(&topics.aggregates, ends, progress, |message| {
        said.see(message.key(), message.payload());
        Ok(())
    })?;
    let mut check = Check::new(names, snapshot, committed, said, config);
    let log = kafka.ends(&topics.metrics)?;
    check.set_log(log.begin, log.end);
    if let Some(last) = check.until() {
        let ends = Ends { end: log.end.min(last.saturating_add(1)), ..log };
        kafka.read(&topics.metrics, ends, progress, |message| {
            check.record(message.offset(), message.key(), message.payload());
            Ok(())
        })?;
    }
    Ok(check.finish())
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
