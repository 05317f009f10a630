//! What the experiment measures: the counts that an outside observer reads, and the ids of the processed records.

pub(crate) mod id_counts;
pub(crate) mod ids;
pub(crate) mod lag;
pub(crate) mod log;
pub(crate) mod observer;
mod series;
pub(crate) mod snapshot;
