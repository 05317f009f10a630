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
//! It is librdkafka's own protocol-level test broker, so it speaks real Kafka over TCP to any client on this
//! machine. It lives as long as the value, which is not `Send`: keep it on the thread that started it and hand the
//! address around.
//!
//! Tests of faults cut the connection with [`EmbeddedBroker::down`], slow it with [`EmbeddedBroker::delay`] or have
//! requests answered with errors by [`EmbeddedBroker::fail_next`].
//!
//! # Limits
//!
//! Nothing here is fit for data that anybody wants to keep:
//!
//! - Records are in memory and gone with the broker. Each partition keeps 5 MiB or 100,000 message sets and then
//!   drops the oldest, read or not: hold a producer back if a slow reader must see everything.
//! - No compaction and no retention by time.
//! - No Admin API: topics come from [`EmbeddedBroker::create_topic`], or by themselves (4 partitions) when a client
//!   that allows it asks for an unknown one.
//! - Transactions are answered but do not isolate, and offsets committed within one are discarded: readers see
//!   aborted records. Use at-least-once against it.
//! - Looking up offsets by timestamp always answers the end of the log.
//! - A fetch on an idle partition waits the whole `fetch.wait.max.ms` (500 ms by default) even if a record comes
//!   meanwhile: consumers should set 20 ms or less.
//! - It listens on 127.0.0.1 without TLS or authentication.

mod error;

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

pub use error::BrokerError;

/// How librdkafka addresses every broker of its test cluster; ours has one.
const ALL_BROKERS: i32 = -1;

/// A Kafka broker inside this process, on a free port of 127.0.0.1, until it is dropped. Development only.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts an empty broker. It answers from now on.
    pub fn start() -> Result<Self, BrokerError> {
        let cluster = MockCluster::new(1).map_err(BrokerError::Start)?;
        Ok(Self { cluster })
    }

    /// The address for the clients' `bootstrap.servers`, as `127.0.0.1:<port>`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Creates the topic `name` with this number of partitions. One that exists already is an error.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), BrokerError> {
        self.cluster
            .create_topic(name, partitions, 1)
            .map_err(|source| BrokerError::CreateTopic { topic: name.to_owned(), source })
    }

    /// Disconnects every client and refuses new ones until [`up`](Self::up). Records and offsets stay, and so does the
    /// address.
    pub fn down(&self) -> Result<(), BrokerError> {
        self.cluster.broker_down(ALL_BROKERS).map_err(BrokerError::Fault)
    }

    /// Lets clients in again after [`down`](Self::down).
    pub fn up(&self) -> Result<(), BrokerError> {
        self.cluster.broker_up(ALL_BROKERS).map_err(BrokerError::Fault)
    }

    /// Makes every request take at least `round_trip` (in whole milliseconds) from now on; zero, the default, ends it.
    pub fn delay(&self, round_trip: Duration) -> Result<(), BrokerError> {
        self.cluster.broker_round_trip_time(ALL_BROKERS, round_trip).map_err(BrokerError::Fault)
    }

    /// Answers the next `times` requests of this kind with `code` instead of doing what they ask. The broker's errors
    /// (`RDKafkaErrorCode::MessageSizeTooLarge`, …) go to the client as they are,
    /// `RDKafkaErrorCode::BrokerTransportFailure` disconnects it.
    pub fn fail_next(&self, request: RDKafkaApiKey, code: RDKafkaErrorCode, times: usize) -> Result<(), BrokerError> {
        let answer = RDKafkaRespErr::try_from(code as i32).map_err(|_| BrokerError::NoSuchAnswer(code))?;
        self.cluster.request_errors(request, &vec![answer; times]);
        Ok(())
    }
}
