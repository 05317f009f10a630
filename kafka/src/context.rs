use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, info, warn};

use crate::trouble::{Scope, Trouble};

/// How many events of a client are read at once. Without a broker there are dozens of new events each second.
const EVENTS: usize = 1_000;
/// After how many polls in a row that return nothing a queue counts as empty.
const IN_A_ROW: usize = 10;

/// Logs the trouble of a client, and librdkafka's own log lines.
///
/// An error that lasts is logged when it begins, once a minute, and when [`works`](Self::works) or
/// [`connected`](Self::connected) ends it. Clones share their state: clients that do one thing together log its trouble
/// once.
#[derive(Debug, Clone)]
pub struct Logged(Arc<State>);

#[derive(Debug)]
struct State {
    /// What the client does, for the log.
    client: String,
    trouble: Trouble,
    /// The reason of the last error that had one.
    reason: Mutex<String>,
}

impl Logged {
    /// `client` names what the client does.
    #[must_use]
    pub fn new(client: impl Into<String>) -> Self {
        Self(Arc::new(State { client: client.into(), trouble: Trouble::default(), reason: Mutex::default() }))
    }

    /// Notes that the client has read or written something.
    pub fn works(&self) {
        if self.0.trouble.lasts() {
            self.ends(self.0.trouble.success(Instant::now()));
        }
    }

    /// Notes that the client is connected to a broker.
    pub fn connected(&self) {
        if self.0.trouble.lasts() {
            self.ends(self.0.trouble.end_of_total(Instant::now()));
        }
    }

    fn ends(&self, seconds: Option<u64>) {
        if let Some(for_s) = seconds {
            info!(target: "quipu::kafka", client = self.0.client, for_s, "the kafka client works again");
        }
    }
}

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            // librdkafka warns of each property that is passed to a client of another kind.
            _ if facility == "CONFWARN" => debug!(target: "quipu::kafka", facility, "{message}"),
            // `error` gets the same text.
            _ if ["FAIL", "REQTMOUT"].contains(&facility) => debug!(target: "quipu::kafka", facility, "{message}"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => warn!(target: "quipu::kafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: "quipu::kafka", facility, "{message}"),
            RDKafkaLogLevel::Debug => debug!(target: "quipu::kafka", facility, "{message}"),
        }
    }

    /// Logs an error of the client, such as a broker that can't be reached. The client retries by itself. A consumer's poll
    /// returns the same error.
    fn error(&self, error: KafkaError, reason: &str) {
        let State { client, trouble, reason: last_reason } = &*self.0;
        let mut last_reason = last_reason.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = match error.rdkafka_error_code() {
            // The end of a partition is reported here too, besides being an answer to the poll.
            Some(RDKafkaErrorCode::PartitionEOF) => return,
            // An error with the reason comes before this one. Without it, the brokers have closed idle connections.
            Some(RDKafkaErrorCode::AllBrokersDown) if !trouble.lasts() => return,
            Some(RDKafkaErrorCode::AllBrokersDown) => Scope::Total,
            _ => {
                reason.clone_into(&mut last_reason);
                Scope::Partial
            }
        };
        debug!(target: "quipu::kafka", client, %error, reason, "librdkafka reports an error");
        if let Some(for_s) = trouble.failure(Instant::now(), scope) {
            let reason = last_reason.as_str();
            warn!(target: "quipu::kafka", client, reason, for_s, "the kafka client has an error and retries");
        }
    }
}

impl ConsumerContext for Logged {}

/// Reads and drops the queued events of a consumer without an assignment, which librdkafka would keep without a bound.
pub fn drain<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    // A poll returns nothing for a log line as well as for an empty queue, so several must return nothing.
    let mut nothing = 0;
    for _ in 0..EVENTS {
        nothing = if consumer.poll(Duration::ZERO).is_some() { 0 } else { nothing + 1 };
        if nothing == IN_A_ROW {
            return;
        }
    }
}
