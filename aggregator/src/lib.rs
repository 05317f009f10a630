//! The aggregator: reports in, fleet-wide totals out.
//!
//! The core is pure: [`Topology`] puts the operators together, each of which is in a file named after its Kafka Streams
//! verb. The shell around it reads, writes and serves.

mod audit;
mod change;
pub mod config;
mod group;
mod group_by;
mod reduce;
mod refresh;
mod resolve;
mod row;
mod selector;
mod series_index;
mod table;
mod topology;

pub use audit::Balance;
pub use change::Change;
pub use config::Config;
pub use group::{AbelianGroup, Contribution};
pub use reduce::{GroupId, Reduce, Reduced};
pub use selector::Selector;
pub use topology::{Outcome, Settings, SourceRecord, Topology};
