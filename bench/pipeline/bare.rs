//! The bare consumer, which reads a topic to its end and discards the records.

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

/// Measures the bare consumer in a separate process, which runs this program again.
pub(crate) fn measure(cluster: &Cluster, load: &Load) -> Result<Measured> {
    let mut command = Command::new(env::current_exe()?);
    let process = Process::start(command.args(["bare-consumer", cluster.bootstrap(), &load.topic]))?;
    let began = process.until("reading")?;
    let ended = process.until("the end")?;
    Measured::new(load.counters, ended - began, process.usage()?)
}

/// Runs the bare consumer.
pub(crate) fn run(brokers: &str, topic: &str) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bare-consumer")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        // These are the settings of Quipu's consumer. With librdkafka's defaults the client reads 100,000 records and
        // then pauses for a second.
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
                // A client needs a second to start, which is not part of the comparison.
                println!("reading");
                reading = true;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => return Err(error.into()),
            None => bail!("nothing to read for a minute"),
        }
    }
    println!("the end");
    // The process waits until its resource usage has been read.
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
