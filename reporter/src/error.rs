use std::time::Duration;

use quipu_record::BadRecord;
use rdkafka::error::KafkaError;

/// An error of the reporter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No broker is named.
    #[error("no brokers are given: pass HOST:PORT[,HOST:PORT…] to KafkaReporter::builder")]
    NoBrokers,
    /// Kafka does not allow a topic of this name.
    #[error("{topic:?} can't be a topic's name: use 1 to 249 letters, digits, '.', '_' or '-'")]
    Topic {
        /// The name.
        topic: String,
    },
    /// The instance's name can't be used in a report.
    #[error("the instance's name can't be used: choose another with KafkaReporterBuilder::instance")]
    Instance(#[source] BadRecord),
    /// A series can't have these global labels.
    #[error("the global labels can't be used: see KafkaReporterBuilder::global_label")]
    GlobalLabels(#[source] BadRecord),
    /// The interval is shorter than a millisecond.
    #[error("the interval {interval:?} is too short: use at least 1 ms")]
    Interval {
        /// The interval.
        interval: Duration,
    },
    /// The heartbeat is shorter than the interval.
    #[error("the heartbeat {heartbeat:?} is shorter than the interval {interval:?}: make it as long, or longer")]
    Heartbeat {
        /// The heartbeat.
        heartbeat: Duration,
        /// The interval.
        interval: Duration,
    },
    /// The limit of a record's size is too small for a report, or above what an aggregator accepts.
    #[error("max_record_bytes is {given}: choose {min} to {max}")]
    MaxRecordBytes {
        /// The given limit.
        given: usize,
        /// The smallest limit that leaves room for a report of this instance.
        min: usize,
        /// The largest limit that an aggregator accepts.
        max: usize,
    },
    /// librdkafka rejects a property. The message omits its value, which might be a secret.
    #[error("property {name:?}: {reason}")]
    Property {
        /// The property's name.
        name: String,
        /// Why librdkafka rejects it.
        reason: &'static str,
    },
    /// The property needs TLS or SASL/SCRAM, and this build has neither.
    #[error("property {name:?} needs a build with TLS: turn on the feature tls-vendored, or tls, of quipu-reporter")]
    NoTls {
        /// The property's name.
        name: String,
    },
    /// librdkafka does not start with these properties.
    #[error("the Kafka client did not start: check the properties passed to KafkaReporterBuilder::property")]
    Client(#[source] KafkaError),
    /// The operating system did not start a thread.
    #[error("the reporter's thread did not start")]
    Thread(#[source] std::io::Error),
    /// Another recorder is installed in this process.
    #[error("a metrics recorder is installed already: use KafkaReporterBuilder::build and a fan-out over both")]
    RecorderInstalled,
    /// Kafka did not acknowledge the counts in time. They are not lost: a later report contains them.
    #[error("Kafka did not acknowledge the counts within {waited:?}: {reason}")]
    Timeout {
        /// How long the call waited.
        waited: Duration,
        /// The last error of the reporter, if there was one.
        reason: String,
    },
    /// The reporter was shut down before.
    #[error("the reporter is shut down, so this count is not reported: flush before the shutdown")]
    ShutDown,
    /// This process was forked from the one that built the reporter; the reporter's thread exists only in the parent.
    #[error(
        "this process was forked after the reporter was built: call KafkaReporter::restart_after_fork first thing in the child"
    )]
    Forked,
}
