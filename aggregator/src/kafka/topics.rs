//! The topics: as they should be, and created where they are absent.

use std::sync::Arc;
use std::time::Duration;

use quipu_config::Config;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{info, warn};

use quipu_kafka::{Bounded, CallError, Logged, client_config};

use crate::error::Error;

const DAY_MS: &str = "86400000";
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take that was given [`TIMEOUT`].
const BOUND: Duration = Duration::from_secs(15);

type Configs = &'static [(&'static str, &'static str)];

const METRICS: Configs = &[
    ("cleanup.policy", "compact,delete"),
    ("retention.ms", "2592000000"),
    ("min.compaction.lag.ms", DAY_MS),
    ("message.timestamp.type", "LogAppendTime"),
];
const AGGREGATES: Configs = &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "3600000")];
const STATE: Configs = &[("cleanup.policy", "compact"), ("max.message.bytes", "4194304")];
const DEAD_LETTERS: Configs = &[("cleanup.policy", "delete"), ("retention.ms", "604800000")];

/// Waits until the topics are there, and creates those that are absent if it may.
///
/// # Errors
/// What time can't heal: too many partitions, or no right to create a topic.
pub(crate) async fn ensure(config: &Config) -> Result<(), Error> {
    let mut admin = admin(config)?;
    let topics = &config.topics;
    for (topic, configs) in [
        (&topics.metrics, METRICS),
        (&topics.state, STATE),
        (&topics.aggregates, AGGREGATES),
        (&topics.dead_letters, DEAD_LETTERS),
    ] {
        let mut wait = Duration::from_millis(200);
        while !is_there(config, &admin, topic, configs).await? {
            if admin.check().is_err() {
                admin = self::admin(config)?;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }
    Ok(())
}

type Admin = Arc<Bounded<AdminClient<Logged>>>;

fn admin(config: &Config) -> Result<Admin, Error> {
    let admin = client_config(config.client_properties()).create_with_context(Logged).map_err(Error::Client)?;
    Ok(Arc::new(Bounded::new(admin).map_err(Error::thread)?))
}

async fn is_there(config: &Config, admin: &Admin, topic: &str, configs: Configs) -> Result<bool, Error> {
    match partitions(Arc::clone(admin), topic).await {
        Ok(0) if config.topics.create => create(config, admin, topic, configs).await,
        Ok(0) => {
            warn!(topic, "waiting for the topic: create it with one partition, or set topics.create = true");
            Ok(false)
        }
        Ok(partitions) if partitions > 1 && topic != config.topics.dead_letters => {
            Err(Error::Partitions { topic: topic.to_owned(), partitions })
        }
        Ok(_) => Ok(true),
        Err(error) => {
            warn!(topic, %error, brokers = config.kafka.brokers, "can't reach kafka, and goes on trying: check --brokers");
            Ok(false)
        }
    }
}

/// How many partitions the topic has; 0 if it is not there.
async fn partitions(admin: Admin, topic: &str) -> Result<usize, CallError> {
    let topic = topic.to_owned();
    let ask = move |admin: &AdminClient<Logged>| {
        let metadata = admin.inner().fetch_metadata(Some(&topic), TIMEOUT)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.filter(|found| found.error().is_none()).map_or(0, |found| found.partitions().len()))
    };
    let asked = tokio::task::spawn_blocking(move || admin.call("fetch_metadata", BOUND, ask));
    asked.await.unwrap_or(Err(CallError::Kafka(KafkaError::Canceled)))
}

async fn create(config: &Config, admin: &Admin, topic: &str, configs: Configs) -> Result<bool, Error> {
    let mut new = NewTopic::new(topic, 1, TopicReplication::Fixed(config.topics.replication_factor));
    for (name, value) in configs {
        new = new.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT));
    let created = tokio::time::timeout(BOUND, admin.create_topics([&new], &options)).await;
    let result = match created.unwrap_or(Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut))) {
        Ok(results) => results.into_iter().next().map_or(Ok(()), |result| result.map(|_| ())),
        Err(error) => Err((topic.to_owned(), error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))),
    };
    match result {
        Ok(()) => {
            info!(topic, "topic created");
            Ok(false)
        }
        Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(false),
        Err((
            _,
            code @ (RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::InvalidReplicationFactor
            | RDKafkaErrorCode::InvalidTopic),
        )) => Err(Error::CreateTopic {
            topic: topic.to_owned(),
            reason: code.to_string(),
            configs: configs
                .iter()
                .map(|(name, value)| format!("--config {name}={value}"))
                .collect::<Vec<_>>()
                .join(" "),
        }),
        Err((_, error)) => {
            warn!(topic, %error, "can't create the topic, and goes on trying");
            Ok(false)
        }
    }
}
