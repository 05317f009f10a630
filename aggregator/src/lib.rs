//! The aggregator: reports in, fleet-wide totals out.
//!
//! The core is pure: [`Topology`] puts the operators together, each of which is in a file named after its Kafka Streams
//! verb. The shell around it reads, writes and serves.

mod audit;
mod change;
mod client;
mod dead_letter;
pub mod engine;
mod error;
mod group;
mod group_by;
mod http;
mod instruments;
mod kafka_log;
mod presence;
mod publisher;
mod rate_limit;
mod reduce;
mod refresh;
mod resolve;
mod restorer;
mod row;
mod run;
mod series_index;
mod shared;
mod sink;
mod source;
pub mod store;
mod table;
mod task;
mod topics;
mod topology;

pub use audit::Balance;
pub use change::Change;
pub use error::Error;
pub use group::{AbelianGroup, Contribution};
pub use presence::Events;
pub use reduce::{GroupId, Reduce, Reduced};
pub use run::{run, run_sinks};
pub use topology::{Outcome, Settings, SourceRecord, Topology};
