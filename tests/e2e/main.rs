//! End to end: the binary `quipu` and independent clients with real servers.
//!
//! If a server is not available, its test is skipped and logs the reason. With `CI=true` it fails instead.

mod bad_records;
mod contract;
mod demo;
mod ends;
mod explain;
mod http;
mod outages;
mod reporter;
mod retirement;
mod servers;
mod stalls;
#[cfg(feature = "rocksdb")]
mod state;
mod topics;
mod totals;
mod usage;

use quipu_testkit::Quipu;

/// The binary of this build.
const QUIPU: Quipu = Quipu::new(env!("CARGO_BIN_EXE_quipu"));
