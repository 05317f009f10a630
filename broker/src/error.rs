use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

/// What the embedded broker could not do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// It did not start: no port or no thread was to be had.
    #[error("the embedded broker did not start")]
    Start(#[source] KafkaError),

    /// The topic was not created: it exists, or its name or number of partitions is not valid.
    #[error("the embedded broker did not create the topic {topic:?}")]
    CreateTopic {
        /// The topic's name.
        topic: String,
        /// What librdkafka says.
        source: KafkaError,
    },

    /// A fault (down, up, delay) was not put in place.
    #[error("the embedded broker did not change its behaviour")]
    Fault(#[source] KafkaError),

    /// An error code that librdkafka cannot put into an answer.
    #[error("no broker answers with {0}; choose an error code of the Kafka protocol")]
    NoSuchAnswer(RDKafkaErrorCode),
}
