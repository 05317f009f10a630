//! From the latest reports to fleet-wide totals.
//!
//! [`Topology`] puts the operators together, each of which is in a file named after its Kafka Streams verb. Everything
//! here is pure: records and the time go in, aggregates and rows come out. There is no I/O, no clock and no randomness.

pub mod audit;
mod change;
mod group;
mod group_by;
mod presence;
mod reduce;
mod refresh;
mod resolve;
mod row;
mod series_index;
mod table;
mod topology;

pub use audit::{Audit, Balance};
pub use change::Change;
pub use group::{AbelianGroup, Contribution};
pub use presence::Events;
pub use reduce::{GroupId, Reduce, Reduced};
pub use row::{RowKind, RowMeta};
pub use topology::{Outcome, Settings, SourceRecord, Topology};
