//! Waits for the topics, and creates those that are missing.

use std::time::{Duration, Instant};

use quipu_config::Config;
use quipu_kafka::{Admin, CallError, Scope, Trouble, client_config};
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{info, warn};

use crate::error::Error;

const DAY_MS: &str = "86400000";

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

/// What the topics are waited for; each is logged when it begins and once a minute.
#[derive(Default)]
struct Waits {
    unreachable: Trouble,
    missing: Trouble,
    uncreatable: Trouble,
}

/// Waits until all topics exist, and creates the missing ones if `topics.create` is on.
///
/// # Errors
/// What time can't heal: too many partitions, or no right to create a topic.
pub(crate) async fn ensure(config: &Config) -> Result<(), Error> {
    let mut admin = admin(config)?;
    let topics = &config.topics;
    let waits = Waits::default();
    for (topic, configs) in [
        (&topics.metrics, METRICS),
        (&topics.state, STATE),
        (&topics.aggregates, AGGREGATES),
        (&topics.dead_letters, DEAD_LETTERS),
    ] {
        let mut wait = Duration::from_millis(200);
        while !is_there(config, &admin, &waits, topic, configs).await? {
            if admin.check().is_err() {
                admin = self::admin(config)?;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(10));
        }
    }
    Ok(())
}

fn admin(config: &Config) -> Result<Admin, Error> {
    Ok(Admin::new(&client_config(config.client_properties()))?)
}

async fn is_there(config: &Config, admin: &Admin, waits: &Waits, topic: &str, configs: Configs) -> Result<bool, Error> {
    let partitions = partitions(admin.clone(), topic).await;
    let now = Instant::now();
    if partitions.is_ok()
        && let Some(for_s) = waits.unreachable.success(now)
    {
        info!(for_s, "kafka is reachable");
    }
    match partitions {
        Ok(0) if config.topics.create => create(config, admin, waits, topic, configs).await,
        Ok(0) => {
            if let Some(for_s) = waits.missing.failure(now, Scope::Total) {
                warn!(topic, for_s, "waiting for the topic: create it with one partition, or set topics.create = true");
            }
            Ok(false)
        }
        Ok(partitions) if partitions > 1 && topic != config.topics.dead_letters => {
            Err(Error::Partitions { topic: topic.to_owned(), key: key(config, topic), partitions })
        }
        Ok(_) => {
            if let Some(for_s) = waits.missing.success(now) {
                info!(topic, for_s, "the topic exists");
            }
            Ok(true)
        }
        Err(error) => {
            if let Some(for_s) = waits.unreachable.failure(now, Scope::Total) {
                let brokers = &config.kafka.brokers;
                warn!(topic, %error, brokers, for_s, "can't reach kafka; retrying: check --brokers");
            }
            Ok(false)
        }
    }
}

/// The key that names the topic.
fn key(config: &Config, topic: &str) -> &'static str {
    if topic == config.topics.metrics {
        "topics.metrics"
    } else if topic == config.topics.state {
        "topics.state"
    } else {
        "topics.aggregates"
    }
}

/// How many partitions the topic has; 0 if it does not exist.
async fn partitions(admin: Admin, topic: &str) -> Result<usize, CallError> {
    let topic = topic.to_owned();
    let asked = tokio::task::spawn_blocking(move || admin.partitions(&topic));
    asked.await.unwrap_or(Err(CallError::Kafka(KafkaError::Canceled)))
}

async fn create(config: &Config, admin: &Admin, waits: &Waits, topic: &str, configs: Configs) -> Result<bool, Error> {
    let mut new = NewTopic::new(topic, 1, TopicReplication::Fixed(config.topics.replication_factor));
    for (name, value) in configs {
        new = new.set(name, value);
    }
    let result = match admin.create_topics(&[new]).await {
        Ok(results) => results.into_iter().next().map_or(Ok(()), |result| result.map(|_| ())),
        Err(error) => Err((topic.to_owned(), error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))),
    };
    match result {
        Ok(()) => {
            _ = waits.uncreatable.success(Instant::now());
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
            if let Some(for_s) = waits.uncreatable.failure(Instant::now(), Scope::Total) {
                warn!(topic, %error, for_s, "can't create the topic; retrying");
            }
            Ok(false)
        }
    }
}
