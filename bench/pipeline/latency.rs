//! The time from producing a counter until its total is readable, compared with a program that only forwards records.

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use quipu_testkit::Cluster;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::contender::Site;
use crate::guarantee::Guarantee;
use crate::load::Load;
use crate::process::Process;
use crate::quipu::Quipu;
use crate::totals::Totals;

const INTERVAL: Duration = Duration::from_millis(20);

/// Measures all programs in turn, with this number of records each.
pub(crate) fn measure(cluster: &Cluster, rounds: u32, records: u32) -> Result<()> {
    println!("\n| | p50, ms | p99, ms | longest, ms |\n|---|---|---|---|");
    for round in 0..rounds {
        let folder = TempDir::new()?;
        let site = |name: &str, guarantee| Site {
            cluster,
            name: format!("latency-{name}-{round}"),
            guarantee,
            folder: folder.path(),
        };
        let relay = site("relay", Guarantee::AtLeastOnce);
        relay.create_topic("totals");
        let input = Load::empty(cluster, &format!("{}-input", relay.name)).topic;
        let mut command = Command::new(env::current_exe()?);
        let process = Process::start(command.args(["relay", cluster.bootstrap(), &input, &relay.output()]))?;
        print("bare relay", probe(cluster, &input, &relay.output(), records)?);
        process.stop()?;
        for (name, guarantee, settings) in [
            ("Quipu, at_least_once, commit_interval = 0", Guarantee::AtLeastOnce, &[("commit_interval", "0s")][..]),
            ("Quipu, exactly_once, commit_interval = 0", Guarantee::ExactlyOnce, &[("commit_interval", "0s")]),
            ("Quipu, the defaults", Guarantee::ExactlyOnce, &[]),
        ] {
            let site = site(&format!("{}-{}", guarantee.name(), settings.len()), guarantee);
            Quipu::create_topics(&site);
            let input = Load::empty(cluster, &format!("{}-input", site.name)).topic;
            let process = Quipu::start(&site, &input, settings)?;
            process.until("caught up")?;
            print(name, probe(cluster, &input, &site.output(), records)?);
            process.stop()?;
        }
    }
    Ok(())
}

fn print(what: &str, mut latencies: Vec<Duration>) {
    latencies.sort();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    println!("| {what} | {:.2} | {:.2} | {:.2} |", at(50), at(99), at(100));
}

/// Produces a larger count at every interval. Returns for each count how long it took until its total, or a later one,
/// was readable.
fn probe(cluster: &Cluster, input: &str, output: &str, records: u32) -> Result<Vec<Duration>> {
    let producer = cluster.producer(&[("linger.ms", "0")]);
    let mut totals = Totals::read(cluster, output)?;
    // The first counts are not measured, because the clients are still connecting.
    let warm_up = 20;
    let began = Instant::now();
    let (mut sent, mut latencies) = (Vec::new(), Vec::new());
    while latencies.len() < records as usize + warm_up {
        let due = INTERVAL * u32::try_from(sent.len())?;
        let wait = due.saturating_sub(began.elapsed());
        if wait.is_zero() && sent.len() < records as usize + warm_up {
            sent.push(Instant::now());
            let value = format!(r#"{{"name":"latency","count":{}}}"#, sent.len());
            let record = BaseRecord::to(input).key("latency").payload(&value);
            producer.send(record).map_err(|(error, _)| error)?;
            producer.poll(Duration::ZERO);
        } else if let Some(at) = totals.poll(wait.max(Duration::from_millis(1)))? {
            let total = usize::try_from(totals.get("latency"))?;
            latencies.extend(sent.iter().take(total).skip(latencies.len()).map(|sent| at - *sent));
        }
        ensure!(began.elapsed() < due + Duration::from_secs(60), "no record is forwarded");
    }
    Ok(latencies.split_off(warm_up))
}

/// Runs the relay, which writes what it reads from one topic to the other.
pub(crate) fn relay(brokers: &str, input: &str, output: &str) -> Result<()> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", brokers);
    let producer: BaseProducer = client.clone().set("enable.idempotence", "true").set("linger.ms", "0").create()?;
    let consumer: BaseConsumer = client.set("group.id", "relay").set("enable.auto.commit", "false").create()?;
    let mut start = TopicPartitionList::new();
    start.add_partition_offset(input, 0, Offset::Beginning)?;
    consumer.assign(&start)?;
    loop {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            producer.poll(Duration::ZERO);
            continue;
        };
        let message = message?;
        let record = BaseRecord::to(output).key(message.key().unwrap_or_default());
        producer.send(record.payload(message.payload().unwrap_or_default())).map_err(|(error, _)| error)?;
        producer.poll(Duration::ZERO);
    }
}
