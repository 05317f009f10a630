use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What librdkafka calls the log lines that say why a connection failed.
const FAILURE: &str = "FAIL";

/// So many events of a client are taken at once; without a broker there are dozens of new ones each second.
const EVENTS: usize = 1_000;

/// Carries what librdkafka says to `tracing`, and remembers why a connection failed.
#[derive(Default)]
pub(super) struct Context {
    failure: Mutex<Option<String>>,
    /// How many events came here.
    heard: AtomicU64,
}

/// Takes the events that wait, which would be kept without a bound. To be called where nothing is assigned, or where
/// what was read does not matter any more.
pub(super) fn drain(client: &BaseConsumer<Context>) {
    let heard = || client.context().heard.load(Ordering::Relaxed);
    for _ in 0..EVENTS {
        let before = heard();
        // It gives back none for a log line as well as for an empty queue.
        let event = client.poll(Duration::ZERO);
        if event.is_none() && heard() == before {
            break;
        }
    }
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
        self.heard.fetch_add(1, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;

    #[test]
    fn all_events_that_wait_are_taken() {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:9").set("group.id", "test").set("debug", "all");
        let client: BaseConsumer<Context> = config.create_with_context(Context::default()).unwrap();
        assert!(client.fetch_metadata(None, Duration::from_millis(200)).is_err());
        assert_eq!(client.context().heard.load(Ordering::Relaxed), 0, "they wait");
        drain(&client);
        assert!(client.context().heard.load(Ordering::Relaxed) > 10);
    }
}
