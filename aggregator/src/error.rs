use quipu_config::ListenAddress;
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
        "topic {topic} has {partitions} partitions, and this version counts from one only: create it with --partitions 1, or set {key} to another topic"
    )]
    Partitions {
        /// Its name.
        topic: String,
        /// The key that names it.
        key: &'static str,
        /// How many it has.
        partitions: usize,
    },
    /// A topic is missing and may not be created.
    #[error(
        "not allowed to create topic {topic} ({reason}): let an administrator create it with --partitions 1 {configs}, or allow CREATE on it"
    )]
    CreateTopic {
        /// Its name.
        topic: String,
        /// The error of the broker.
        reason: String,
        /// The settings that it should have.
        configs: String,
    },
    /// The broker refuses a request for good, for example because a right is missing.
    #[error("kafka refuses {what} ({source})")]
    Refused {
        /// What was tried, and what to do.
        what: String,
        /// The error of the broker.
        #[source]
        source: KafkaError,
    },
    /// Another process with the same application ID commits now.
    #[error(
        "fenced: another process with the same application_id took over; nothing that this process did since counts; start it again, and it becomes a standby"
    )]
    Fenced,
    /// The consumer of the source topic failed for good.
    #[error(
        "the consumer failed for good: {0}: start this again; nothing is lost, and if processes have a group_instance_id, each must have its own"
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
    /// The build has no RocksDB.
    #[error("state.store: this build has no RocksDB: set state.store = \"memory\", or build with the feature rocksdb")]
    NoStore,
    /// The folder of the store can't be written.
    #[error("state.dir: can't write to {}: {source}: set state.dir to a writable folder", path.display())]
    StateFolder {
        /// The folder, or the nearest one above it that exists.
        path: std::path::PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The store can't be opened or written.
    #[error("state store {path}: {why}")]
    Store {
        /// Its folder.
        path: std::path::PathBuf,
        /// What happened, and what to do.
        why: String,
    },
    /// The HTTP server can't listen on its address: the name does not resolve, the port is in use, or it is not allowed.
    #[error("can't listen on {address}: {source}: set http.listen (--http) to another HOST:PORT, or to off")]
    Listen {
        /// The address.
        address: ListenAddress,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The aggregator had to stop before Kafka accepted its last totals.
    #[error("stopped before Kafka acknowledged the last totals; nothing is lost: the next start computes them again")]
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
        "the task has made no step for {seconds} s: its step is \"{step}\"; start this again (a standby takes over meanwhile); nothing is lost"
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

    /// Whether the configuration has to be changed, or the build that it is for. The same process started again fails again.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        use quipu_reporter::Error as Own;
        match self {
            Self::Client(_) | Self::NoSinks | Self::NoStore | Self::StateFolder { .. } => true,
            Self::Reporter(own) => matches!(own, Own::Property { .. } | Own::NoTls { .. } | Own::Client(_)),
            _ => false,
        }
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
