//! The aggregator: reports in, fleet-wide totals out.
//!
//! The core, `quipu_topology`, is pure. This is the shell around it: it reads, writes and serves.

mod client;
mod dead_letter;
pub mod engine;
mod error;
mod http;
mod instruments;
mod kafka_log;
mod publisher;
mod rate_limit;
mod restorer;
mod run;
mod shared;
mod sink;
mod source;
pub mod store;
mod task;
mod topics;

pub use error::Error;
pub use run::{run, run_sinks};
