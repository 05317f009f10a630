//! An embedded Kafka broker for the demo and for fast tests: **development only**.
//!
//! ```
//! use quipu_broker::EmbeddedBroker;
//!
//! # fn main() -> Result<(), quipu_broker::BrokerError> {
//! let broker = EmbeddedBroker::start()?;
//! broker.create_topic("metrics", 1)?;
//! println!("kcat -b {} -L", broker.bootstrap_servers());
//! # Ok(())
//! # }
//! ```
//!
//! It is librdkafka's protocol-level test broker: any Kafka client on this machine can connect to it over TCP. The broker
//! runs until the value is dropped. The value is not `Send`: keep it on the thread that started it, and give only the
//! address to other threads.
//!
//! Tests of faults close the connections with [`EmbeddedBroker::down`], delay answers with [`EmbeddedBroker::delay`], or
//! let requests fail with [`EmbeddedBroker::fail_next`].
//!
//! # Limits
//!
//! Do not use it for data that must be kept:
//!
//! - Records are in memory only. Each partition keeps 5 MiB or 100,000 message sets and then drops the oldest, even if
//!   they were not read: limit a producer if a slow consumer must read all records.
//! - No compaction and no retention by time.
//! - No Admin API: create topics with [`EmbeddedBroker::create_topic`]. A topic is also created, with 4 partitions, when a
//!   client with `allow.auto.create.topics` requests an unknown one.
//! - Transactions are accepted but not isolated: consumers see aborted records, and offsets committed in a transaction
//!   are discarded. Use at-least-once with this broker.
//! - An offset lookup by timestamp always returns the end of the log.
//! - A fetch on an idle partition waits the whole `fetch.wait.max.ms` (500 ms by default) even if a record arrives
//!   earlier: consumers should set 20 ms or less.
//! - It listens on 127.0.0.1 without TLS or authentication.

mod error;

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

pub use error::BrokerError;

/// The id by which librdkafka addresses all brokers of its test cluster, which has one here.
const ALL_BROKERS: i32 = -1;

/// A Kafka broker in this process, on a free port of 127.0.0.1. It stops when it is dropped. Development only.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts an empty broker, which answers when this function returns.
    pub fn start() -> Result<Self, BrokerError> {
        let cluster = MockCluster::new(1).map_err(BrokerError::Start)?;
        Ok(Self { cluster })
    }

    /// Returns the address for the clients' `bootstrap.servers`, as `127.0.0.1:<port>`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Creates the topic `name`. An existing topic is an error.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), BrokerError> {
        self.cluster
            .create_topic(name, partitions, 1)
            .map_err(|source| BrokerError::CreateTopic { topic: name.to_owned(), source })
    }

    /// Disconnects all clients and rejects new connections until [`up`](Self::up). The broker keeps its records, offsets
    /// and address.
    pub fn down(&self) -> Result<(), BrokerError> {
        self.cluster.broker_down(ALL_BROKERS).map_err(BrokerError::Fault)
    }

    /// Accepts connections again after [`down`](Self::down).
    pub fn up(&self) -> Result<(), BrokerError> {
        self.cluster.broker_up(ALL_BROKERS).map_err(BrokerError::Fault)
    }

    /// Delays every answer, so that a request takes at least `round_trip` (in whole milliseconds). Zero is the default.
    pub fn delay(&self, round_trip: Duration) -> Result<(), BrokerError> {
        self.cluster.broker_round_trip_time(ALL_BROKERS, round_trip).map_err(BrokerError::Fault)
    }

    /// Rejects the next `times` requests of this kind with `code`. Error codes of the Kafka protocol
    /// (`RDKafkaErrorCode::MessageSizeTooLarge`, …) are sent to the client;
    /// `RDKafkaErrorCode::BrokerTransportFailure` disconnects it.
    pub fn fail_next(&self, request: RDKafkaApiKey, code: RDKafkaErrorCode, times: usize) -> Result<(), BrokerError> {
        let answer = RDKafkaRespErr::try_from(code as i32).map_err(|_| BrokerError::NoSuchAnswer(code))?;
        self.cluster.request_errors(request, &vec![answer; times]);
        Ok(())
    }
}
