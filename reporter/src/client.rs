//! The Kafka client: librdkafka's producer. It logs to `tracing` and hands events to its owner instead of printing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quipu_kafka::{Bounded, Scope, client_config, set_default};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaConfRes;

use crate::Error;
use crate::parts::Outgoing;
use crate::settings::Settings;

pub(crate) struct Client {
    producer: Bounded<BaseProducer<Context>>,
}

/// An event of the Kafka client.
#[derive(Debug)]
pub(crate) enum Event {
    /// The record of this part was acknowledged, or it failed.
    Delivered { part: usize, result: Result<(), String> },
    /// The client as a whole has a problem; it keeps retrying.
    Trouble { error: String, scope: Scope },
}

/// Why the client did not accept a record.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The client's queue is full.
    Full,
    /// The client will never accept this record.
    Refused(String),
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let properties = settings.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut config = client_config(properties);
        for (name, value) in DEFAULTS {
            set_default(&mut config, name, value);
        }
        set_default(&mut config, "bootstrap.servers", &settings.brokers);
        // The level is set here because rdkafka derives its default from the `log` crate's logger, which may be absent.
        // `tracing` filters afterwards.
        let debugs = settings.properties.iter().any(|(name, _)| name == "debug");
        config.set_log_level(if debugs { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
        let producer = config.create_with_context(Context::default()).map_err(refusal)?;
        Ok(Self { producer: Bounded::new(producer).map_err(Error::Thread)? })
    }

    /// Puts a record into the client's queue; never blocks.
    pub(crate) fn send(&self, topic: &str, part: usize, record: &Outgoing) -> Result<(), SendError> {
        let record = BaseRecord::with_opaque_to(topic, part).key(&record.key).payload(&record.value);
        self.producer.send(record).map_err(|(error, _)| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => SendError::Full,
            _ => SendError::Refused(explain(&error)),
        })
    }

    /// Serves the client for this long (it does not return earlier) and returns the events.
    pub(crate) fn poll(&self, time: Duration) -> Vec<Event> {
        self.producer.poll(time);
        std::mem::take(&mut *self.producer.context().events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The error that ended this client for good, if there is one.
    pub(crate) fn fatal_error(&self) -> Option<String> {
        self.producer.client().fatal_error().map(|(code, reason)| with_remedy(code, reason))
    }
}

/// Documented at [`property`](crate::KafkaReporterBuilder::property).
const DEFAULTS: &[(&str, &str)] = &[
    ("acks", "all"),
    ("client.id", "quipu-reporter"),
    ("compression.type", "lz4"),
    ("enable.idempotence", "true"),
    ("linger.ms", "0"),
    ("log.connection.close", "false"),
    ("message.timeout.ms", "30000"),
    ("topic.metadata.propagation.max.ms", "3000"),
];

/// Why there is no client. Whether the build has TLS is read from librdkafka's error, because another crate may have turned
/// on the feature of `rdkafka`.
fn refusal(error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, why, name, _) if why.contains("OpenSSL not available") => Error::NoTls { name },
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, name, _) => {
            Error::Property { name, reason: "this build of librdkafka knows no such property" }
        }
        KafkaError::ClientConfig(_, _, name, _) => {
            Error::Property { name, reason: "librdkafka does not accept its value" }
        }
        KafkaError::ClientCreation(why) if why.contains("No provider for SASL mechanism SCRAM") => {
            Error::NoTls { name: "sasl.mechanism".to_owned() }
        }
        error => Error::Client(error),
    }
}

fn explain(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => with_remedy(code, code.to_string()),
        None => error.to_string(),
    }
}

/// The error's text with its remedy, if there is one.
fn with_remedy(code: RDKafkaErrorCode, error: String) -> String {
    let remedy = match code {
        RDKafkaErrorCode::MessageTimedOut => "no broker took the report within message.timeout.ms",
        RDKafkaErrorCode::MessageSizeTooLarge => {
            "lower max_record_bytes, or raise message.max.bytes here and the topic's max.message.bytes"
        }
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
            "create the topic, or start the aggregator, which does"
        }
        RDKafkaErrorCode::TopicAuthorizationFailed => "allow this user to write to the topic",
        RDKafkaErrorCode::ClusterAuthorizationFailed => {
            "allow this user idempotent writes, or set the property enable.idempotence=false"
        }
        _ => return error,
    };
    format!("{error}: {remedy}")
}

#[derive(Default)]
struct Context {
    events: Mutex<Vec<Event>>,
}

impl Context {
    fn push(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl ClientContext for Context {
    /// Logs one level lower than librdkafka does, because the reporter retries and logs the errors that matter.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // `error` gets the same text.
            _ if ["FAIL", "REQTMOUT"].contains(&facility) => tracing::debug!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, message, "librdkafka");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => tracing::info!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Info => tracing::debug!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Debug => tracing::trace!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the Kafka client reports an error");
        let scope = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => Scope::Total,
            _ => Scope::Partial,
        };
        self.push(Event::Trouble { error: reason.to_owned(), scope });
    }

    /// Statistics come only if the application sets `statistics.interval.ms`; this client has no use for them.
    fn stats_raw(&self, _: &[u8]) {}
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, part: usize) {
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| explain(error));
        self.push(Event::Delivered { part, result });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_build_without_tls_names_the_feature() {
        let why = "Unsupported value \"ssl\" for configuration property \"security.protocol\": OpenSSL not available at build time";
        let (name, value) = ("security.protocol".to_owned(), "ssl".to_owned());
        let invalid = RDKafkaConfRes::RD_KAFKA_CONF_INVALID;
        let protocol = KafkaError::ClientConfig(invalid, why.to_owned(), name.clone(), value.clone());
        let why =
            "No provider for SASL mechanism SCRAM-SHA-512: recompile librdkafka with libsasl2 or openssl support.";
        for (error, property) in
            [(protocol, "security.protocol"), (KafkaError::ClientCreation(why.to_owned()), "sasl.mechanism")]
        {
            let text = refusal(error).to_string();
            assert!(text.contains(property) && text.contains("feature tls-vendored"), "{text}");
        }
        let other = refusal(KafkaError::ClientConfig(invalid, "no such value".to_owned(), name, value)).to_string();
        assert!(!other.contains("tls") && !other.contains("ssl"), "{other}");
    }
}
