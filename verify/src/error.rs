use quipu_kafka::CallError;
use rdkafka::error::KafkaError;

/// Why verifying or forgetting failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration gives no working Kafka client.
    #[error(
        "can't make a Kafka client: {0}: check [kafka.properties]; TLS and SCRAM need a build with the feature tls"
    )]
    Client(#[source] KafkaError),
    /// Kafka did not answer.
    #[error("can't reach Kafka at {brokers}: {source}: check --brokers")]
    Unreachable {
        /// The addresses of the brokers.
        brokers: String,
        /// The error of librdkafka.
        #[source]
        source: CallError,
    },
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    Thread(#[source] std::io::Error),
    /// A topic does not exist.
    #[error("there is no topic {0}: check --brokers and [topics]")]
    NoTopic(String),
    /// A topic has more than one partition.
    #[error("topic {topic} has {partitions} partitions, and this version counts from one only")]
    Partitions {
        /// The topic's name.
        topic: String,
        /// The number of its partitions.
        partitions: usize,
    },
    /// A topic can't be read to the end.
    #[error("can't read topic {topic}: {source}")]
    Read {
        /// The topic's name.
        topic: String,
        /// The error of librdkafka.
        #[source]
        source: CallError,
    },
    /// No record came for too long.
    #[error(
        "topic {topic} was read to offset {position} of {end}, and no record came for {seconds} s: check that the brokers are up, and run the command again"
    )]
    Stalled {
        /// The topic.
        topic: String,
        /// The next offset to read.
        position: i64,
        /// The offset to read to.
        end: i64,
        /// How long the call waited.
        seconds: u64,
    },
    /// Records were removed while they were read.
    #[error("records of topic {0} expired while they were read: run the command again")]
    Expired(String),
    /// A transaction stays open.
    #[error(
        "a transaction on topic {0} is neither committed nor aborted: wait until it times out, and run the command again"
    )]
    OpenTransaction(String),
    /// A record of the changelog is not a row.
    #[error("a record of {topic} at offset {offset} is not a row: {why}: use the version that wrote it")]
    Changelog {
        /// The changelog.
        topic: String,
        /// The record's offset.
        offset: i64,
        /// What is wrong with the record.
        why: quipu_record::StateRowError,
    },
    /// Kafka did not accept a record.
    #[error("Kafka did not accept {what}: {source}: allow WRITE on the topic, and run the command again")]
    Refused {
        /// The record.
        what: String,
        /// The error of librdkafka.
        #[source]
        source: KafkaError,
    },
    /// The totals do not reflect what was removed.
    #[error(
        "the records that remove the counts are written up to offset {offset}, but the total of {series} was not published within {seconds} s: check that the aggregator runs. It subtracts the counts when it reads these records; check the result with `quipu verify`"
    )]
    NotShown {
        /// The offset of the last record.
        offset: i64,
        /// How long the call waited.
        seconds: u64,
        /// The series whose total was not published.
        series: String,
    },
    /// A total differs from what the log gives after the removal.
    #[error(
        "the records that remove the counts are written, but the total of {series} as of offset {offset} is {found}, and the log gives {expected}: run `quipu verify`"
    )]
    Wrong {
        /// The series.
        series: String,
        /// The total that the log gives.
        expected: i128,
        /// The total that was published.
        found: i128,
        /// The offset that the total carries.
        offset: i64,
    },
}
