//! What is seen of the experiment: by an outside observer, and by the records' ids.

pub(crate) mod ids;
pub(crate) mod lag;
pub(crate) mod log;
pub(crate) mod observer;
mod series;
pub(crate) mod snapshot;
pub(crate) mod truth;
