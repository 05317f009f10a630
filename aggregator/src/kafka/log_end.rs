//! Asks the broker where the source log ends, with a client of its own, so that the answer does not depend on the task.

use std::thread;
use std::time::{Duration, Instant};

use quipu_record::Partition;

use quipu_kafka::{Bounded, CallError, Logged, client_config, drain};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tracing::debug;

use crate::error::Error;
use crate::health::Freshness;
use crate::shared::Shared;
use quipu_config::Config;

/// How often the broker is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the call may take.
const BOUND: Duration = Duration::from_secs(8);

/// Starts a thread that asks, until the process is to stop.
pub(crate) fn watch(config: &Config, partition: Partition, shared: Shared, freshness: Freshness) -> Result<(), Error> {
    let config = config.clone();
    let mut consumer = consumer(&config)?;
    let watch = move || {
        while !shared.stopping() {
            let asked = Instant::now();
            match ask(&consumer, &config.topics.metrics, partition) {
                Ok(end) => {
                    freshness.answered(asked, end);
                    consumer.context().works();
                }
                Err(error) => debug!(%error, "can't ask where the source log ends"),
            }
            drain(&consumer);
            if consumer.check().is_err()
                && let Ok(another) = self::consumer(&config)
            {
                consumer = another;
            }
            thread::park_timeout(INTERVAL.saturating_sub(asked.elapsed()));
        }
    };
    thread::Builder::new().name("quipu-log-end".to_owned()).spawn(watch).map(drop).map_err(Error::thread)
}

type Consumer = Bounded<BaseConsumer<Logged>>;

fn consumer(config: &Config) -> Result<Consumer, Error> {
    // With read_committed the broker names the end of what the task can read.
    let consumer = client_config(config.client_properties())
        .set("isolation.level", "read_committed")
        .create_with_context(Logged::new("log end"))
        .map_err(Error::Client)?;
    Bounded::new(consumer).map_err(Error::thread)
}

fn ask(consumer: &Consumer, topic: &str, partition: Partition) -> Result<i64, CallError> {
    let topic = topic.to_owned();
    let (_, end) = consumer
        .call("fetch_watermarks", BOUND, move |consumer| consumer.fetch_watermarks(&topic, partition.0, TIMEOUT))?;
    Ok(end)
}
