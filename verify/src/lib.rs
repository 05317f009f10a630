//! Computes the totals a second time from the log: `quipu verify`, and `quipu forget`, which needs the same rows.
//!
//! This crate shares only the configuration and the topic contract with the aggregator. The rules of the table and the
//! sums are written a second time on purpose, as simply as possible, so that an error in one of the two implementations
//! shows as a difference.
//!
//! # What the log can prove
//!
//! An aggregate carries the offset up to which it is true. While `metrics` has all its records, the log alone gives the
//! expected total. Where compaction or retention removed records, a row may depend on a missing one: the base of a
//! plain counter, a report that expired, or a report that a later bad record replaced. Such a row is taken from the
//! changelog, at the offset that it carries. A row whose record is still in the log must agree with that record.
//!
//! Rows expire by log time, which is the sum of the gaps between records, so compaction shortens it. As long as the log is
//! whole it gives log time, and with it all retired sums and markers, which the changelog must have, too. Otherwise they
//! are taken from the changelog at its position, and the report says which totals depend on them.
//!
//! The changelog has only the newest state of a row, so a total is also compared at the newest committed offset, which
//! the changelog has too. The aggregator publishes every total that changed, so a total that it did not publish again
//! must still be true there. This comparison is made even if the log is complete, because it finds totals that should
//! have been published and were not.

mod audit;
mod check;
mod error;
mod fold;
mod forget;
mod kafka;
mod names;
mod report;
mod retention;
mod row;
mod snapshot;
mod verify;

pub use error::Error;
pub use forget::{Forgetting, Liveness, Subtraction, Target};
pub use kafka::Progress;
pub use quipu_record::Series;
pub use report::{Difference, NotByLog, Problem, Report, Unanswered};
pub use verify::verify;
