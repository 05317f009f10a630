use quipu_kafka::CallError;
use rdkafka::error::KafkaError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A client of Kafka can't be made from the configuration.
    #[error(
        "can't make a Kafka client: {0}: check [kafka.properties]; TLS and SCRAM need a build with the feature tls"
    )]
    Client(#[source] KafkaError),
    /// Kafka did not answer.
    #[error("can't reach kafka at {brokers}: {source}: check --brokers")]
    Unreachable {
        /// The brokers that were asked.
        brokers: String,
        /// What librdkafka says.
        #[source]
        source: CallError,
    },
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    Thread(#[source] std::io::Error),
    /// A topic is not there.
    #[error("there is no topic {0}: check --brokers and [topics]")]
    NoTopic(String),
    /// A topic has more than one partition.
    #[error("topic {topic} has {partitions} partitions, and this version counts from one only")]
    Partitions {
        /// Its name.
        topic: String,
        /// How many it has.
        partitions: usize,
    },
    /// A topic can't be read to the end.
    #[error("can't read topic {topic}: {source}")]
    Read {
        /// Its name.
        topic: String,
        /// What librdkafka says.
        #[source]
        source: CallError,
    },
    /// Nothing came for too long.
    #[error(
        "topic {topic} was read to offset {position} of {end}, and nothing came since for {seconds} s: check that the brokers are up, and run it again"
    )]
    Stalled {
        /// The topic.
        topic: String,
        /// The next offset to read.
        position: i64,
        /// Where to read to.
        end: i64,
        /// How long was waited.
        seconds: u64,
    },
    /// Records were removed while they were read.
    #[error("records of topic {0} expired while they were read: run it again")]
    Expired(String),
    /// A transaction stays open.
    #[error("a transaction on topic {0} is neither committed nor aborted: wait until it times out, and run it again")]
    OpenTransaction(String),
    /// A record of the changelog is no row.
    #[error("a record of {topic} at offset {offset} is no row: {why}: use the version that wrote it")]
    Changelog {
        /// The changelog.
        topic: String,
        /// The record's offset.
        offset: i64,
        /// What is wrong with it.
        why: quipu_record::StateRowError,
    },
    /// A tombstone was not accepted.
    #[error("kafka did not accept the tombstone of {key}: {source}: allow WRITE on the topic, and run it again")]
    Tombstone {
        /// The row.
        key: String,
        /// What librdkafka says.
        #[source]
        source: KafkaError,
    },
    /// The totals do not show the tombstones.
    #[error(
        "the tombstones are written up to offset {offset}, but after {seconds} s {series} does not show it: is the aggregator running? It subtracts them when it reads them; `quipu verify` checks the result"
    )]
    NotShown {
        /// The offset of the last tombstone.
        offset: i64,
        /// How long was waited.
        seconds: u64,
        /// A series that is not as expected.
        series: String,
    },
    /// A total is not what the log gives after the tombstones.
    #[error(
        "the tombstones are written, but {series} is {found} as of offset {offset} where the log gives {expected}: run `quipu verify`"
    )]
    Wrong {
        /// The series.
        series: String,
        /// What the log gives.
        expected: i128,
        /// What the total is.
        found: i128,
        /// As of which offset.
        offset: i64,
    },
}
