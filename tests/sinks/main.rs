//! The sinks around real servers and around one that fails in every way: the binary reads totals from a broker, and the
//! servers say in their own query languages what they have.
//!
//! A server that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

mod aggregator;
mod carbon;
mod credentials;
mod faults;
mod hostile;
mod http;
mod influxdb;
mod isolation;
mod pipeline;
mod position;
mod prometheus;
mod query;
mod scripted;
mod server;
mod stdout;
mod stream;
#[allow(dead_code, unused_imports, reason = "it is the end-to-end tests', which use the rest of it")]
#[path = "../e2e/support/mod.rs"]
mod support;
mod tls;
mod victoria_metrics;
