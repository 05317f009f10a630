//! Processes records: writes their ids down and counts them, and commits its offsets every few seconds, each time
//! after its reporter has published the counts.

mod commits;

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use metrics::counter;
use quipu_reporter::KafkaReporter;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};

use super::parent::{Command, Word, commands};
use super::{Connection, ConsumerArgs};
use crate::watch::ids::IdWriter;
use commits::Commits;

const POLL: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_secs(10);
/// A commit that could not be is tried again after this time.
const RETRY: Duration = Duration::from_millis(200);
/// A careless consumer that finds nothing to leave undone leaves anyway after this time.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(args: &ConsumerArgs) -> Result<()> {
    let commands = commands();
    let reporter = args.connection.reporter()?;
    let mut ids = IdWriter::create(&args.ids).with_context(|| format!("can't create {}", args.ids.display()))?;
    let consumer = subscribe(args, reporter)?;
    let commits = consumer.context();

    process(args, &consumer, &mut ids, &commands)?;

    commits.allow(&consumer);
    commits.forbid();
    Word::Left(commits.undone().0).say();
    ids.finish().context("the ids could not be written down")?;
    commits.reporter.shutdown(TIMEOUT).context("the last report could not be sent")?;
    Ok(())
}

fn subscribe(args: &ConsumerArgs, reporter: KafkaReporter) -> Result<BaseConsumer<Commits>> {
    let Connection { group, topic, .. } = &args.connection;
    let mut config = args.connection.client()?;
    config
        .set("group.id", group)
        // What may be committed is said at the interval; librdkafka looks much more often whether there is anything.
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "100")
        // A consumer keeps what it has while another one joins.
        .set("partition.assignment.strategy", "cooperative-sticky")
        // Were records evicted that nobody has read, this would skip them: the ids would show them as lost.
        .set("auto.offset.reset", "earliest");
    for property in &args.set {
        let (key, value) = property.split_once('=').with_context(|| format!("{property:?} is not key=value"))?;
        config.set(key, value);
    }
    let consumer = BaseConsumer::from_config_and_context(&config, Commits::new(reporter, topic))
        .context("no consumer could be made")?;
    consumer.subscribe(&[topic]).with_context(|| format!("could not subscribe to {topic}"))?;
    Ok(consumer)
}

/// Processes records until the parent says stop; a careless consumer goes on until it leaves something undone.
fn process(
    args: &ConsumerArgs,
    consumer: &BaseConsumer<Commits>,
    ids: &mut IdWriter,
    commands: &Receiver<Command>,
) -> Result<()> {
    let commits = consumer.context();
    let processed = counter!("records_processed");
    let mut next_commit = Instant::now() + args.commit_interval;
    let mut told_to_stop: Option<Instant> = None;
    loop {
        match consumer.poll(POLL) {
            Some(Ok(record)) => {
                ids.write(record_id(&record)?).context("the ids could not be written down")?;
                processed.increment(1);
                commits.processed(&record);
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error).context("reading ended"),
            Some(Err(error)) => tracing::warn!(%error, "reading failed, it is tried again"),
            None => {}
        }
        let now = Instant::now();
        for command in commands.try_iter() {
            match command {
                Command::Stop if args.careless => {
                    commits.forbid();
                    told_to_stop = Some(now);
                    Word::Stopping.say();
                }
                Command::Stop | Command::Quit => return Ok(()),
                Command::Limit(_) => {}
            }
        }
        match told_to_stop {
            None if now < next_commit => {}
            None => next_commit = now + if commits.allow(consumer) { args.commit_interval } else { RETRY },
            // Halfway between two commits there is enough undone to be seen.
            Some(told) => {
                let undone_since = commits.undone().1;
                let is_halfway = undone_since.is_some_and(|since| now - since >= args.commit_interval / 2);
                if is_halfway || now - told >= PATIENCE {
                    return Ok(());
                }
            }
        }
    }
}

/// The id that the producer wrote into the record.
fn record_id(record: &BorrowedMessage<'_>) -> Result<u64> {
    let value = record.payload().unwrap_or_default();
    std::str::from_utf8(value).ok().and_then(|id| id.parse().ok()).with_context(|| {
        format!("the record at {}:{} is not one of this experiment", record.partition(), record.offset())
    })
}
