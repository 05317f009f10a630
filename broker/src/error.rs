use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

/// An error of the embedded broker.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The broker did not start, because it got no port or no thread.
    #[error("the embedded broker did not start")]
    Start(#[source] KafkaError),

    /// The topic was not created, because it exists, or because its name or number of partitions is not valid.
    #[error("the embedded broker did not create the topic {topic:?}")]
    CreateTopic {
        /// The topic's name.
        topic: String,
        /// The error of librdkafka.
        source: KafkaError,
    },

    /// The broker did not apply a fault (down, up or delay).
    #[error("the embedded broker did not apply the fault")]
    Fault(#[source] KafkaError),

    /// librdkafka cannot put this error code into an answer.
    #[error("a broker can't answer with {0}; choose an error code of the Kafka protocol")]
    NoSuchAnswer(RDKafkaErrorCode),
}
