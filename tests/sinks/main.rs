//! The sinks around real servers and around one that fails in every way: the binary reads totals from a broker, and the
//! servers say in their own query languages what they have.
//!
//! A server that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

mod carbon;
mod credentials;
mod faults;
mod hostile;
mod influxdb;
mod isolation;
mod pipeline;
mod position;
mod prometheus;
mod query;
mod scripted;
mod stdout;
mod stream;
mod tls;
mod victoria_metrics;

use quipu_testkit::Quipu;

/// The binary of this build.
const QUIPU: Quipu = Quipu::new(env!("CARGO_BIN_EXE_quipu"));
