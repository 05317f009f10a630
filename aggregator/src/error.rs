use std::net::SocketAddr;

use quipu_kafka::CallError;
use rdkafka::error::KafkaError;

/// Why the aggregator can't run, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A client of Kafka can't be made from the configuration.
    #[error(
        "can't make a Kafka client: {0}: check [kafka.properties]; TLS and SCRAM need a build with the feature tls"
    )]
    Client(#[source] KafkaError),
    /// The reporter of the aggregator's own counters can't be made.
    #[error("can't report the aggregator's own counters")]
    Reporter(#[source] quipu_reporter::Error),
    /// The source topic has more than one partition.
    #[error(
        "topic {topic} has {partitions} partitions, and this version counts from one only: create it with --partitions 1, or name another with topics.metrics"
    )]
    Partitions {
        /// Its name.
        topic: String,
        /// How many it has.
        partitions: usize,
    },
    /// A topic is absent and may not be created.
    #[error(
        "not allowed to create topic {topic} ({reason}): let an administrator create it with --partitions 1 {configs}, or allow CREATE on it"
    )]
    CreateTopic {
        /// Its name.
        topic: String,
        /// What the broker said.
        reason: String,
        /// The settings that it should have.
        configs: String,
    },
    /// The broker refuses for good, such as for want of a right.
    #[error("kafka refuses: {what}: {source}")]
    Refused {
        /// What was tried, and what to do.
        what: String,
        /// What the broker said.
        #[source]
        source: KafkaError,
    },
    /// Another process with the same application ID commits now.
    #[error(
        "fenced: another process with the same application_id took over, and nothing of this one counts since; run one, or start this again to let it wait its turn"
    )]
    Fenced,
    /// The consumer of the source topic can't go on.
    #[error(
        "the consumer can't go on: {0}: start this again; nothing is lost, and if processes have a group_instance_id, each must have its own"
    )]
    Consumer(#[source] KafkaError),
    /// A record of the changelog is no row.
    #[error(
        "can't restore from {topic}: {why}: run the version that wrote it, or delete that topic and the state folder to count anew from what the source topic has"
    )]
    Changelog {
        /// The changelog.
        topic: String,
        /// What is wrong with the record.
        why: quipu_record::StateRowError,
    },
    /// The store can't be opened or written.
    #[error("state store {path}: {why}")]
    Store {
        /// Its folder.
        path: std::path::PathBuf,
        /// What happened, and what to do.
        why: String,
    },
    /// The HTTP address can't be had.
    #[error("can't listen on {address}: {source}: give another address with --http ADDRESS:PORT, or --http off")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The aggregator had to stop before Kafka accepted its last totals.
    #[error(
        "stopped without Kafka's word on the last totals; nothing is lost: they are computed again at the next start"
    )]
    Uncommitted,
    /// A sink can't be made from the configuration, or ended by a defect.
    #[error("sink {name}: {why}")]
    Sink {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// There is nothing for `quipu sink` to do.
    #[error("no sinks: add a section [[sink]] to the configuration (`quipu config show` has examples)")]
    NoSinks,
    /// A thread could not be started, or ended by a defect.
    #[error("the task's thread failed: {0}")]
    Thread(String),
    /// A call of the consumer did not return.
    #[error("{0}: start this again; nothing is lost")]
    Stuck(#[source] CallError),
    /// The task made no step although there was something to do.
    #[error(
        "the task has made no step for {seconds} s: it stands at \"{step}\"; start this again (a standby goes on meanwhile); nothing is lost"
    )]
    Stalled {
        /// The step that does not end.
        step: &'static str,
        /// For how long.
        seconds: u64,
    },
}

impl Error {
    /// Whether the process ended because something within it or below it did not answer. The same process started again
    /// may work.
    #[must_use]
    pub fn is_stall(&self) -> bool {
        matches!(self, Self::Stuck(CallError::Stuck { .. }) | Self::Stalled { .. })
    }

    /// The operating system has no thread left.
    #[expect(clippy::needless_pass_by_value, reason = "it is an argument of map_err")]
    pub(crate) fn thread(error: std::io::Error) -> Self {
        Self::Thread(error.to_string())
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Kafka(error @ (KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_))) => {
                Self::Client(error)
            }
            CallError::Kafka(error) => Self::Consumer(error),
            stuck @ CallError::Stuck { .. } => Self::Stuck(stuck),
        }
    }
}
