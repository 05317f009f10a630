use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The facility of librdkafka's log lines that have the reason of a failed connection.
const FAILURE: &str = "FAIL";

/// How many events of a client are read at once. Without a broker, there are dozens of new events each second.
const EVENTS: usize = 1_000;

/// Passes librdkafka's log lines to `tracing`, and stores the reason of the last failed connection.
#[derive(Default)]
pub(super) struct Context {
    failure: Mutex<Option<String>>,
    /// How many log lines came from librdkafka.
    logged: AtomicU64,
}

/// Reads and drops the queued events, which librdkafka would keep without a bound. Call it when no partition is assigned,
/// or when its records are not needed any more.
pub(super) fn drain(client: &BaseConsumer<Context>) {
    let logged = || client.context().logged.load(Ordering::Relaxed);
    for _ in 0..EVENTS {
        let before = logged();
        // `poll` returns `None` for a log line as well as for an empty queue.
        let event = client.poll(Duration::ZERO);
        if event.is_none() && logged() == before {
            break;
        }
    }
}

impl Context {
    /// Returns the reason of an error: the reason of the last failed connection if there is one, or else the error itself.
    pub(super) fn reason(&self, error: &KafkaError) -> String {
        self.failure().clone().unwrap_or_else(|| error.to_string())
    }

    /// Clears the reason, because there is a connection now.
    pub(super) fn clear_failure(&self) {
        *self.failure() = None;
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.logged.fetch_add(1, Ordering::Relaxed);
        if facility == FAILURE {
            // The thread's name is in brackets before the reason.
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

    /// Logs an error at debug level only: without a broker, dozens come each second, and `log` gets the reason once.
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::debug!(target: "librdkafka", %error, "{reason}");
        }
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;

    #[test]
    fn draining_reads_all_queued_events() {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:9").set("group.id", "test").set("debug", "all");
        let client: BaseConsumer<Context> = config.create_with_context(Context::default()).unwrap();
        assert!(client.fetch_metadata(None, Duration::from_millis(200)).is_err());
        assert_eq!(client.context().logged.load(Ordering::Relaxed), 0, "the events are queued");
        drain(&client);
        assert!(client.context().logged.load(Ordering::Relaxed) > 10);
    }
}
