use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quipu_kafka::Logged;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;

/// The facility of librdkafka's log lines that have the reason of a failed connection.
const FAILURE: &str = "FAIL";

/// How many events of a client are read at once. Without a broker, there are dozens of new events each second.
const EVENTS: usize = 1_000;

/// Logs the trouble of a client, and stores the reason of the last failed connection.
pub(super) struct Context {
    /// The source's clients share it, because some of them only wait.
    logged: Logged,
    failure: Mutex<Option<String>>,
    /// How many log lines came from librdkafka.
    lines: AtomicU64,
}

/// Reads and drops the queued events, which librdkafka would keep without a bound. Call it when no partition is assigned,
/// or when its records are not needed any more.
pub(super) fn drain(client: &BaseConsumer<Context>) {
    let lines = || client.context().lines.load(Ordering::Relaxed);
    for _ in 0..EVENTS {
        let before = lines();
        // `poll` returns `None` for a log line as well as for an empty queue.
        let event = client.poll(Duration::ZERO);
        if event.is_none() && lines() == before {
            break;
        }
    }
}

impl Context {
    pub(super) fn new(logged: &Logged) -> Self {
        Self { logged: logged.clone(), failure: Mutex::default(), lines: AtomicU64::default() }
    }

    /// Returns the reason of an error: the reason of the last failed connection if there is one, or else the error itself.
    pub(super) fn reason(&self, error: &KafkaError) -> String {
        self.failure().clone().unwrap_or_else(|| error.to_string())
    }

    /// Clears the reason, because there is a connection now.
    pub(super) fn clear_failure(&self) {
        self.logged.works();
        *self.failure() = None;
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        if facility == FAILURE {
            // The thread's name is in brackets before the reason.
            let reason = message.split_once("]: ").map_or(message, |(_, reason)| reason);
            *self.failure() = Some(reason.to_owned());
        }
        self.logged.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.logged.error(error, reason);
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
        let client: BaseConsumer<Context> = config.create_with_context(Context::new(&Logged::new("test"))).unwrap();
        assert!(client.fetch_metadata(None, Duration::from_millis(200)).is_err());
        assert_eq!(client.context().lines.load(Ordering::Relaxed), 0, "the events are queued");
        drain(&client);
        assert!(client.context().lines.load(Ordering::Relaxed) > 10);
    }
}
