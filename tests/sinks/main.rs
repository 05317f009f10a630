//! The sinks with real servers and with a scripted one that fails: the binary reads totals from a broker, and the tests
//! read them back with the servers' own query languages.
//!
//! If a server is not available, its test is skipped and logs the reason. With `CI=true` it fails instead.

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
