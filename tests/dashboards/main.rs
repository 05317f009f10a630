//! The dashboards and alert rules, checked where no Grafana is: the files are as generated and well made, Grafana's types
//! hold, Flux is valid, rules fire when they should, and each panel's query gives the expected numbers of a real server.
//!
//! A tool or server that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

mod expected;
mod files;
mod filled;
mod lint;
mod panels;
mod query;
mod rules;
mod tools;
mod variables;

use quipu_testkit::Quipu;

/// The binary of this build.
const QUIPU: Quipu = Quipu::new(env!("CARGO_BIN_EXE_quipu"));
