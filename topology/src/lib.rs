//! From the latest reports to fleet-wide totals.
//!
//! [`Topology`] puts the operators together, each of which is in a file named after its Kafka Streams verb. Everything
//! here is pure: records and the time go in, aggregates and rows come out. There is no I/O, no clock and no randomness.

mod accumulator;
pub mod audit;
mod change;
mod explain;
mod group_by;
mod presence;
mod reduce;
mod refresh;
mod resolve;
mod retirement;
mod row;
pub mod rules;
mod series_index;
mod table;
mod topology;
mod values;

pub use accumulator::{Accumulator, Amount, Contribution, CounterSum, RowId, SeriesSum, Total};
pub use audit::Audit;
pub use change::Change;
pub use explain::{Explained, Explanation, Part, PartSum};
pub use presence::Events;
pub use reduce::{GroupId, Reduce, Reduced};
pub use retirement::Retention;
pub use row::{Declared, RowKind, RowMeta};
pub use topology::{Outcome, Settings, SourceRecord, Topology};
