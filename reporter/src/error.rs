use std::time::Duration;

use quipu_record::BadRecord;
use rdkafka::error::KafkaError;

/// What a reporter could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No broker is named.
    #[error("no brokers are given: pass HOST:PORT[,HOST:PORT…] to KafkaReporter::builder")]
    NoBrokers,
    /// The topic's name is none that Kafka allows.
    #[error("{topic:?} can't be a topic's name: use 1 to 249 letters, digits, '.', '_' or '-'")]
    Topic {
        /// The name.
        topic: String,
    },
    /// The instance's name can't be used in a report.
    #[error("the instance can't be named so: choose another with KafkaReporterBuilder::instance")]
    Instance(#[source] BadRecord),
    /// The global labels are none that a series may have.
    #[error("the global labels can't be used: see KafkaReporterBuilder::global_label")]
    GlobalLabels(#[source] BadRecord),
    /// The interval is shorter than a millisecond.
    #[error("the interval {interval:?} is too short: a report names it in whole milliseconds")]
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
    /// The limit of a record's size can't be kept, or is beyond what an aggregator accepts.
    #[error("max_record_bytes is {given}: choose {min} to {max}")]
    MaxRecordBytes {
        /// The limit asked for.
        given: usize,
        /// The least that holds a report of this instance.
        min: usize,
        /// The most that an aggregator accepts.
        max: usize,
    },
    /// librdkafka does not take a property. Its value is left out, for it might be a secret.
    #[error("property {name:?}: {reason}")]
    Property {
        /// The property's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// librdkafka does not start with these properties.
    #[error("the Kafka client did not start: check the properties passed to KafkaReporterBuilder::property")]
    Client(#[source] KafkaError),
    /// The operating system gave no thread.
    #[error("the reporter's thread did not start")]
    Thread(#[source] std::io::Error),
    /// Another recorder is installed in this process.
    #[error("a metrics recorder is installed already: use KafkaReporterBuilder::build and a fan-out over both")]
    RecorderInstalled,
    /// Kafka did not acknowledge the counts in time. They are not lost: a later report has them.
    #[error("Kafka did not acknowledge the counts within {waited:?}: {reason}")]
    Timeout {
        /// How long the call waited.
        waited: Duration,
        /// What went wrong last, as far as it is known.
        reason: String,
    },
    /// The reporter was shut down before.
    #[error("the reporter is shut down, so this count is not reported: flush before the shutdown")]
    ShutDown,
    /// This process was forked from the one that built the reporter, whose thread did not come along.
    #[error(
        "this process was forked after the reporter was built: call KafkaReporter::restart_after_fork first thing in the child"
    )]
    Forked,
}
