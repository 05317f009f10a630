//! What all clients of Kafka have in common here.

use quipu_config::Config;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, info, warn};

/// A client's configuration, with the brokers and what the user passed through.
pub(crate) fn client_config(config: &Config) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.extend(config.client_properties().map(|(name, value)| (name.to_owned(), value.to_owned())));
    // Half of it is how long librdkafka waits between the connection to the bootstrap servers and the next one: 50 ms for
    // each client by default. Where a broker is away, the waits between attempts still double, up to ten seconds.
    set_default(&mut client, "reconnect.backoff.ms", "20");
    client
}

/// Sets a property unless the user did.
pub(crate) fn set_default(client: &mut ClientConfig, name: &str, value: &str) {
    if client.get(name).is_none() {
        client.set(name, value);
    }
}

/// Sends librdkafka's log to ours.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }
}

impl ConsumerContext for Logged {}

/// One line of librdkafka's log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // A property that is passed to all clients is not for all of them; librdkafka warns of each.
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

/// An error of a client as a whole, such as a broker that can't be reached. The client goes on trying by itself.
pub(crate) fn report(error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        // The end of a partition comes this way too, besides being an answer to the poll.
        Some(RDKafkaErrorCode::PartitionEOF) => {}
        // Said dozens of times a second in an outage; why it is so is said by `log`.
        Some(RDKafkaErrorCode::AllBrokersDown) => {
            debug!(target: "quipu::kafka", %error, reason, "no broker can be reached");
        }
        _ => warn!(target: "quipu::kafka", %error, reason, "kafka client has trouble, and goes on trying"),
    }
}
