//! End to end: the binary `quipu` and foreign clients around real servers.
//!
//! A server that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

mod bad_records;
mod contract;
mod demo;
mod ends;
mod http;
mod reporter;
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
