//! The bare consumer: reads a topic to its end and throws the records away.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use quipu_testkit::Cluster;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::load::Load;
use crate::measure::Measured;
use crate::process::Process;

/// Measures it in a process of its own, which is this program again.
pub(crate) fn measure(cluster: &Cluster, load: &Load) -> Result<Measured> {
    let mut command = Command::new(env::current_exe()?);
    let process = Process::start(command.args(["bare-consumer", cluster.bootstrap(), &load.topic]))?;
    let began = process.until("reading")?;
    let ended = process.until("the end")?;
    Measured::new(load.counters, ended - began, process.usage()?)
}

/// The bare consumer itself.
pub(crate) fn run(brokers: &str, topic: &str) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bare-consumer")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        // As Quipu fetches. With librdkafka's defaults it reads 100,000 records and then none for a second.
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.queue.backoff.ms", "5")
        .create()?;
    let mut start = TopicPartitionList::new();
    start.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&start)?;
    let mut reading = false;
    loop {
        match consumer.poll(Duration::from_secs(60)) {
            Some(Ok(_)) if reading => {}
            Some(Ok(_)) => {
                // A client takes a second to begin, which is not what is compared here.
                println!("reading");
                reading = true;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => return Err(error.into()),
            None => bail!("nothing to read for a minute"),
        }
    }
    println!("the end");
    // Whoever measures looks at this process while it is there.
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
