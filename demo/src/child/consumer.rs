//! Processes records: writes their ids to a file and counts them. Every few seconds it publishes its counters and then
//! commits its offsets.

mod commits;

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use metrics::counter;
use quipu_kafka::{Scope, Trouble};
use quipu_reporter::KafkaReporter;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};

use super::parent::{Command, Status, commands};
use super::{Connection, ConsumerArgs};
use crate::watch::ids::IdWriter;
use commits::Commits;

const POLL: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_secs(10);
/// A commit that failed is retried after this time.
const RETRY: Duration = Duration::from_millis(200);
/// A consumer that skips its last commit stops after this time even if it has no uncommitted records.
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
    Status::Left(commits.uncommitted().0).send();
    ids.finish().context("the record ids could not be written")?;
    commits.reporter.shutdown(TIMEOUT).context("the last report could not be sent")?;
    Ok(())
}

fn subscribe(args: &ConsumerArgs, reporter: KafkaReporter) -> Result<BaseConsumer<Commits>> {
    let Connection { group, topic, .. } = &args.connection;
    let mut config = args.connection.client()?;
    config
        .set("group.id", group)
        // The consumer stores offsets once an interval; librdkafka commits stored offsets ten times a second.
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "100")
        // With cooperative rebalancing, a consumer keeps its partitions while another consumer joins.
        .set("partition.assignment.strategy", "cooperative-sticky")
        // If unread records were evicted, the consumer would skip them, and the list of ids would show them as lost.
        .set("auto.offset.reset", "earliest");
    for property in &args.set {
        let (key, value) = property.split_once('=').with_context(|| format!("{property:?} is not key=value"))?;
        config.set(key, value);
    }
    let consumer = BaseConsumer::from_config_and_context(&config, Commits::new(reporter, topic))
        .context("no consumer could be created")?;
    consumer.subscribe(&[topic]).with_context(|| format!("could not subscribe to {topic}"))?;
    Ok(consumer)
}

/// Processes records until the parent sends `stop`. A consumer that skips its last commit continues until it has
/// enough uncommitted records.
fn process(
    args: &ConsumerArgs,
    consumer: &BaseConsumer<Commits>,
    ids: &mut IdWriter,
    commands: &Receiver<Command>,
) -> Result<()> {
    let commits = consumer.context();
    let processed = counter!("records_processed");
    let mut next_commit = Instant::now() + args.commit_interval;
    let mut stop_requested: Option<Instant> = None;
    let trouble = Trouble::default();
    loop {
        match consumer.poll(POLL) {
            Some(Ok(record)) => {
                if let Some(for_s) = trouble.success(Instant::now()) {
                    tracing::info!(for_s, "reading works again");
                }
                ids.write(record_id(&record)?).context("the record ids could not be written")?;
                processed.increment(1);
                commits.processed(&record);
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error).context("reading ended"),
            Some(Err(error)) => {
                if let Some(for_s) = trouble.failure(Instant::now(), Scope::Partial) {
                    tracing::warn!(%error, for_s, "reading failed; retrying");
                }
            }
            None => {}
        }
        let now = Instant::now();
        for command in commands.try_iter() {
            match command {
                Command::Stop if args.skip_last_commit => {
                    commits.forbid();
                    stop_requested = Some(now);
                    Status::Stopping.send();
                }
                Command::Stop | Command::Quit => return Ok(()),
                Command::Limit(_) => {}
            }
        }
        match stop_requested {
            None if now < next_commit => {}
            None => next_commit = now + if commits.allow(consumer) { args.commit_interval } else { RETRY },
            // Half a commit interval of uncommitted records is enough to be visible in the chart.
            Some(requested) => {
                let uncommitted_since = commits.uncommitted().1;
                let is_halfway = uncommitted_since.is_some_and(|since| now - since >= args.commit_interval / 2);
                if is_halfway || now - requested >= PATIENCE {
                    return Ok(());
                }
            }
        }
    }
}

/// Returns the id that the producer wrote into the record.
fn record_id(record: &BorrowedMessage<'_>) -> Result<u64> {
    let value = record.payload().unwrap_or_default();
    std::str::from_utf8(value)
        .ok()
        .and_then(|id| id.parse().ok())
        .with_context(|| format!("the record at {}:{} does not hold a record id", record.partition(), record.offset()))
}
