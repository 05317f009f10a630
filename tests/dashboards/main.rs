//! The dashboards and alert rules, checked without Grafana: the files are as generated and complete, they match
//! Grafana's types, Flux is valid, rules fire when they should, and each panel's query returns the expected numbers
//! from a real server.
//!
//! If a tool or server is not available, its test is skipped and logs the reason. With `CI=true` it fails instead.

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
