//! The dashboards and alert rules, checked where no Grafana is: the files are as generated and well made, Grafana's types
//! hold, Flux is valid, rules fire when they should, and each panel's query gives the expected numbers of a real server.
//!
//! A tool or server that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

#[allow(dead_code, reason = "it is the sinks' tests', which use the rest of it")]
#[path = "../sinks/aggregator.rs"]
mod aggregator;
mod expected;
mod files;
mod filled;
#[allow(dead_code, reason = "it is the sinks' tests', which use the rest of it")]
#[path = "../sinks/http.rs"]
mod http;
mod lint;
mod panels;
mod query;
mod rules;
#[allow(dead_code, reason = "it is the sinks' tests', which use the rest of it")]
#[path = "../sinks/server.rs"]
mod server;
#[allow(dead_code, unused_imports, reason = "it is the end-to-end tests', which use the rest of it")]
#[path = "../e2e/support/mod.rs"]
mod support;
mod tools;
mod variables;
