//! Whether the task goes on and its totals are current, for the threads that watch it.

mod freshness;
mod progress;
mod watchdog;

pub(crate) use freshness::Freshness;
pub(crate) use progress::Progress;
pub(crate) use watchdog::{Stall, stalled};
