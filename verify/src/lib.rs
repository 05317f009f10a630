//! The totals, computed once more from the log: `quipu verify`, and `quipu forget`, which needs the same knowledge.
//!
//! Nothing here is shared with the aggregator but its configuration and the topic contract. The rules of the table and
//! the sums are written a second time on purpose, as plainly as they can be, so that an error in one of the two shows
//! as a difference.
//!
//! # What the log can answer
//!
//! An aggregate says up to which offset it is true. As long as `metrics` has all its records, that is a question to
//! the log alone. Where compaction or retention removed records, a row may depend on what is gone: the base of a plain
//! counter, a report that expired, one that a later bad record hid. For such rows the changelog's are taken, each at the
//! offset that it names; a row whose record is still there must agree with it. Because the changelog has only the newest
//! state of a row, the question is then asked of a later offset: that of the position, which the changelog has too. The aggregator says every total that changed, so a total that it did not say again must be true there too;
//! that question is asked even where the log is whole, because it finds what should have been said and was not.

mod audit;
mod check;
mod error;
mod fold;
mod forget;
mod history;
mod kafka;
mod names;
mod report;
mod row;
mod snapshot;
mod verify;

pub use error::Error;
pub use forget::{Forgetting, Liveness, Subtraction, Target};
pub use kafka::Progress;
pub use report::{Difference, Problem, Report, Unanswered};
pub use verify::verify;
