use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use quipu_kafka::Admin;
use rdkafka::ClientConfig;
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use tokio::runtime::Runtime;

use super::Names;

/// A group is taken for alive until the broker has noticed that its last member is gone.
const GROUP_TIMEOUT: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_millis(500);
const BROKER_DEFAULT: i32 = -1;

/// Topics on a real cluster that are there only for this experiment.
pub(super) struct OwnTopics {
    admin: Admin,
    runtime: Runtime,
    topics: Vec<String>,
    groups: Vec<String>,
}

impl OwnTopics {
    /// Creates the topics.
    pub(super) fn create(client: &ClientConfig, names: &Names) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let admin = Admin::new(client).context("no Kafka client could be made")?;
        let brokers = client.get("bootstrap.servers").unwrap_or_default();
        admin.reach().with_context(|| {
            format!("no answer from {brokers}: is that a Kafka broker, and how is it to be reached?")
        })?;
        let topics = names.topics().map(|(topic, _)| topic.to_owned()).to_vec();
        let groups = vec![names.group.clone(), names.application.clone()];
        // From here on, dropping deletes what was created before something failed.
        let own = Self { admin, runtime, topics, groups };
        let new =
            names.topics().map(|(topic, count)| NewTopic::new(topic, count, TopicReplication::Fixed(BROKER_DEFAULT)));
        let results = own.runtime.block_on(own.admin.create_topics(&new)).context("no topic could be created")?;
        for result in results {
            if let Err((topic, error)) = result {
                bail!("the topic {topic} could not be created (may you create and delete topics there?): {error}");
            }
        }
        Ok(own)
    }

    /// Deletes the topics, then the groups. What was deleted is not tried again.
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
            Some((topic, error)) => bail!("the topic {topic} is still there: {error}"),
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
                bail!("the consumer group {group} is still there: {error}");
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

/// What is still there, and why.
fn failures(
    results: Vec<Result<String, (String, RDKafkaErrorCode)>>,
    absent: RDKafkaErrorCode,
) -> Vec<(String, RDKafkaErrorCode)> {
    results.into_iter().filter_map(Result::err).filter(|(_, error)| *error != absent).collect()
}
