use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What librdkafka calls the log lines that say why a connection failed.
const FAILURE: &str = "FAIL";

/// Carries what librdkafka says to `tracing`, and remembers why a connection failed.
#[derive(Default)]
pub(super) struct Context {
    failure: Mutex<Option<String>>,
}

impl Context {
    /// The best reason for an error: why the connection failed, rather than that it did.
    pub(super) fn reason(&self, error: &KafkaError) -> String {
        self.failure().clone().unwrap_or_else(|| error.to_string())
    }

    /// Forgets why a connection failed, because there is one now.
    pub(super) fn forget(&self) {
        *self.failure() = None;
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == FAILURE {
            // The thread's name stands in brackets before what happened.
            let reason = message.split_once("]: ").map_or(message, |(_, reason)| reason);
            *self.failure() = Some(reason.to_owned());
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    /// That no broker can be reached comes here dozens of times a second; why that is was said once, to `log`.
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::debug!(target: "librdkafka", %error, "{reason}");
        }
    }
}

impl ConsumerContext for Context {}
