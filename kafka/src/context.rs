use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, info, warn};

/// Sends librdkafka's log to ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }
}

impl ConsumerContext for Logged {}

/// Writes one line of librdkafka's log to ours.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // librdkafka warns of each property that is passed to a client of another kind.
        _ if facility == "CONFWARN" => debug!(target: "quipu::kafka", facility, "{message}"),
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => warn!(target: "quipu::kafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: "quipu::kafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => debug!(target: "quipu::kafka", facility, "{message}"),
    }
}

/// Logs an error of a client as a whole, such as a broker that can't be reached. The client retries by itself.
pub fn report(error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        // The end of a partition is reported here too, besides being an answer to the poll.
        Some(RDKafkaErrorCode::PartitionEOF) => {}
        // librdkafka reports this dozens of times a second in an outage; its log lines have the reason.
        Some(RDKafkaErrorCode::AllBrokersDown) => {
            debug!(target: "quipu::kafka", %error, reason, "no broker can be reached");
        }
        _ => warn!(target: "quipu::kafka", %error, reason, "the kafka client has an error and retries"),
    }
}
