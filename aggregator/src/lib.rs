//! The aggregator: reports in, fleet-wide totals out.
//!
//! The core, `quipu_topology`, is pure. This is the shell around it: it reads, writes and serves.

pub mod engine;
mod error;
#[doc(hidden)]
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod http;
mod instruments;
mod kafka;
mod rate_limit;
mod run;
mod shared;
mod sink;
pub mod store;
mod task;

pub use error::Error;
pub use run::{run, run_sinks};
