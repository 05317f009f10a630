use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, GroupResult, NewTopic, TopicResult};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::{Bounded, CallError, Logged};

/// How long the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take that was given [`TIMEOUT`].
const BOUND: Duration = Duration::from_secs(15);

/// A client for administrative requests, each of which ends within 15 s. Clones share the client.
#[derive(Clone)]
pub struct Admin(Arc<Bounded<AdminClient<Logged>>>);

impl Admin {
    /// A client with this configuration.
    ///
    /// # Errors
    /// librdkafka refuses the configuration, or no thread can be started.
    pub fn new(config: &ClientConfig) -> Result<Self, CallError> {
        let client = config.create_with_context(Logged::new("administration"))?;
        let bounded = Bounded::new(client).map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self(Arc::new(bounded)))
    }

    /// Whether the client can be used.
    ///
    /// # Errors
    /// A call of it did not return.
    pub fn check(&self) -> Result<(), CallError> {
        self.0.check()
    }

    /// Waits on the calling thread until a broker answers.
    ///
    /// # Errors
    /// No broker answers in time.
    pub fn reach(&self) -> Result<(), CallError> {
        self.0.call("fetch_metadata", BOUND, |admin| admin.inner().fetch_metadata(None, TIMEOUT).map(drop))
    }

    /// How many partitions the topic has; 0 if it does not exist. It waits on the calling thread.
    ///
    /// # Errors
    /// No broker answers in time.
    pub fn partitions(&self, topic: &str) -> Result<usize, CallError> {
        let topic = topic.to_owned();
        self.0.call("fetch_metadata", BOUND, move |admin| {
            let metadata = admin.inner().fetch_metadata(Some(&topic), TIMEOUT)?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            Ok(found.filter(|found| found.error().is_none()).map_or(0, |found| found.partitions().len()))
        })
    }

    /// Creates topics; a result for each.
    ///
    /// # Errors
    /// The request as a whole failed, or was not answered in time.
    pub async fn create_topics(&self, topics: &[NewTopic<'_>]) -> KafkaResult<Vec<TopicResult>> {
        bounded(self.0.create_topics(topics, &options())).await
    }

    /// Deletes topics; a result for each.
    ///
    /// # Errors
    /// As [`Self::create_topics`].
    pub async fn delete_topics(&self, topics: &[&str]) -> KafkaResult<Vec<TopicResult>> {
        bounded(self.0.delete_topics(topics, &options())).await
    }

    /// Deletes consumer groups; a result for each.
    ///
    /// # Errors
    /// As [`Self::create_topics`].
    pub async fn delete_groups(&self, groups: &[&str]) -> KafkaResult<Vec<GroupResult>> {
        bounded(self.0.delete_groups(groups, &options())).await
    }
}

async fn bounded<T>(request: impl Future<Output = KafkaResult<T>>) -> KafkaResult<T> {
    let answer = tokio::time::timeout(BOUND, request).await;
    answer.unwrap_or(Err(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut)))
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT))
}
