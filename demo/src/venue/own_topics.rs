use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use quipu_kafka::Admin;
use rdkafka::ClientConfig;
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use tokio::runtime::Runtime;

use super::Names;

/// How long to retry the deletion of a group. The broker rejects it until the session of the last member has expired.
const GROUP_TIMEOUT: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(500);
const BROKER_DEFAULT: i32 = -1;

/// Topics on a real cluster that belong to this experiment. Dropping the value deletes them.
pub(super) struct OwnTopics {
    admin: Admin,
    runtime: Runtime,
    topics: Vec<String>,
    groups: Vec<String>,
}

impl OwnTopics {
    /// Creates the topics on the cluster.
    pub(super) fn create(client: &ClientConfig, names: &Names) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let admin = Admin::new(client).context("no Kafka client could be created")?;
        let brokers = client.get("bootstrap.servers").unwrap_or_default();
        admin
            .reach()
            .with_context(|| format!("no answer from {brokers}: check the address and the connection settings"))?;
        let topics = names.topics().map(|(topic, _)| topic.to_owned()).to_vec();
        let groups = vec![names.group.clone(), names.application.clone()];
        // If something fails from here on, dropping `own` deletes the topics that were already created.
        let own = Self { admin, runtime, topics, groups };
        let new =
            names.topics().map(|(topic, count)| NewTopic::new(topic, count, TopicReplication::Fixed(BROKER_DEFAULT)));
        let results = own.runtime.block_on(own.admin.create_topics(&new)).context("no topic could be created")?;
        for result in results {
            if let Err((topic, error)) = result {
                bail!(
                    "the topic {topic} could not be created (the user needs the right to create and delete topics): {error}"
                );
            }
        }
        Ok(own)
    }

    /// Deletes the topics, then the groups. Another call retries only those that could not be deleted.
    pub(super) fn delete(&mut self) -> Result<()> {
        let topics = self.delete_topics();
        let groups = self.delete_groups();
        topics.and(groups)
    }

    fn delete_topics(&mut self) -> Result<()> {
        if self.topics.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let results = self.runtime.block_on(self.admin.delete_topics(&names))?;
        let failed = failures(results, RDKafkaErrorCode::UnknownTopicOrPartition);
        self.topics = failed.iter().map(|(topic, _)| topic.clone()).collect();
        match failed.first() {
            Some((topic, error)) => bail!("the topic {topic} could not be deleted: {error}"),
            None => Ok(()),
        }
    }

    fn delete_groups(&mut self) -> Result<()> {
        let deadline = Instant::now() + GROUP_TIMEOUT;
        while !self.groups.is_empty() {
            let names: Vec<&str> = self.groups.iter().map(String::as_str).collect();
            let results = self.runtime.block_on(self.admin.delete_groups(&names))?;
            let failed = failures(results, RDKafkaErrorCode::GroupIdNotFound);
            self.groups = failed.iter().map(|(group, _)| group.clone()).collect();
            let in_use = failed.iter().all(|(_, error)| *error == RDKafkaErrorCode::NonEmptyGroup);
            if let Some((group, error)) = failed.first().filter(|_| !in_use || Instant::now() > deadline) {
                bail!("the consumer group {group} could not be deleted: {error}");
            }
            if !self.groups.is_empty() {
                self.runtime.block_on(async { tokio::time::sleep(RETRY).await });
            }
        }
        Ok(())
    }
}

impl Drop for OwnTopics {
    fn drop(&mut self) {
        if let Err(error) = self.delete() {
            tracing::error!(error = format!("{error:#}"), "not everything could be deleted from the cluster");
        }
    }
}

/// Returns what could not be deleted, and why. `absent` is the error code of something that does not exist any more.
fn failures(
    results: Vec<Result<String, (String, RDKafkaErrorCode)>>,
    absent: RDKafkaErrorCode,
) -> Vec<(String, RDKafkaErrorCode)> {
    results.into_iter().filter_map(Result::err).filter(|(_, error)| *error != absent).collect()
}
