use std::sync::Mutex;
use std::sync::mpsc::SyncSender;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::batch::{Batch, Connection};

/// Carries what librdkafka says to `tracing`, and that no broker answers to the channel.
pub(super) struct Context {
    batches: Option<SyncSender<Batch>>,
    last_error: Mutex<String>,
}

impl Context {
    /// A context that only logs.
    pub(super) fn quiet() -> Self {
        Self { batches: None, last_error: Mutex::default() }
    }

    /// A context that also tells when no broker answers.
    pub(super) fn telling(batches: SyncSender<Batch>) -> Self {
        Self { batches: Some(batches), last_error: Mutex::default() }
    }

    /// The best reason that is known for an error: the last one that was not merely its consequence.
    pub(super) fn reason(&self, error: &KafkaError) -> String {
        let last = self.last_error();
        if last.is_empty() { error.to_string() } else { last.clone() }
    }

    fn last_error(&self) -> std::sync::MutexGuard<'_, String> {
        self.last_error.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
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

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        tracing::warn!(target: "librdkafka", %error, "{reason}");
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            reason.clone_into(&mut self.last_error());
            return;
        }
        if let Some(batches) = &self.batches {
            let reason = self.reason(&error);
            // Nobody listens any more: then nobody wants to know.
            let _ = batches.send(Batch::Connection(Connection::Lost { reason }));
        }
    }
}

impl ConsumerContext for Context {}
