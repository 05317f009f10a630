//! Counts with the [`metrics`] facade and publishes the counts to Kafka, where Quipu's aggregator sums them over the
//! fleet.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use metrics::counter;
//! use quipu_reporter::KafkaReporter;
//!
//! # fn main() -> Result<(), quipu_reporter::Error> {
//! let reporter = KafkaReporter::builder("localhost:9092").instance("app-1").install()?;
//!
//! counter!("records_processed", "topic" => "auth").increment(1);
//!
//! reporter.flush(Duration::from_secs(5))?; // for example before a consumer commits its offsets
//! reporter.shutdown(Duration::from_secs(5))?; // the final report
//! # Ok(())
//! # }
//! ```
//!
//! Counting is an atomic addition. Looking a counter up by its name and labels takes a shared lock, which is held only
//! for the lookup. Neither allocates once the counter is registered, and neither waits for Kafka. One background thread
//! reads the counters and sends a *report* of their values: once per [interval](KafkaReporterBuilder::interval) if
//! something changed, and as a [heartbeat](KafkaReporterBuilder::heartbeat) otherwise, even before the first counter is
//! registered.
//!
//! Reports are cumulative. While no broker is reachable, one report of each part waits in the client, and newer values
//! wait in the counters themselves. The first report that Kafka acknowledges contains everything: memory stays bounded,
//! and no count is lost while the process lives. Nothing is printed; [`KafkaReporter::stats`] and `tracing` report what
//! happens.
//!
//! # Features
//!
//! None is on by default. `tls` and `tls-vendored` bring TLS and SASL/SCRAM, with the OpenSSL of the system or with one that is
//! built from source and linked statically.
//!
//! # Runs and parts
//!
//! A reporter is one *run* of its instance: its key on the topic contains a UUID made at the start, so a restart begins
//! at zero under another key and never lowers the fleet's total. If a run has more series than fit into [one
//! record](KafkaReporterBuilder::max_record_bytes), it is reported in *parts*. Each part is a record of its own and is
//! sent only when it changed. A series joins the newest part when it is registered and never moves.
//!
//! # Series
//!
//! The labels of a series are sorted, and a label with an empty value is dropped: keys that then have the same name and
//! labels share one counter. Of two labels with the same name the last one is used, and a metric's own label overrides
//! a [global one](KafkaReporterBuilder::global_label).
//!
//! # Limits
//!
//! - Only counters are published. Gauges and histograms are accepted and do nothing: each name is logged once, and
//!   [`Stats::unsupported_registrations`] counts them. Descriptions and units are not published either.
//! - A series over a limit (`max_series`, or the lengths in `quipu_record::limits`) is not reported: each name is
//!   logged once, and [`Stats::refused_counts`] has the sum of what was added to such counters. At most 1,000 names are
//!   logged.
//! - Series are never removed; labels with an unbounded number of values (user names, addresses) use up `max_series`.
//! - What is counted after the last report is lost if the process is killed. So are counts whose flush failed, if the
//!   process ends before a later report is acknowledged.
//! - A counter wraps at 2^64.
//! - A forked child has to call [`KafkaReporter::restart_after_fork`] before it counts.
//! - [`flush`](KafkaReporter::flush), [`shutdown`](KafkaReporter::shutdown) and `Drop` block the calling thread.

mod builder;
mod client;
mod control;
mod error;
mod forwarder;
mod instance;
mod part;
mod parts;
mod recorder;
mod registry;
mod reporter;
mod settings;
mod stats;
mod warned;

pub use builder::KafkaReporterBuilder;
pub use error::Error;
pub use recorder::KafkaRecorder;
pub use reporter::KafkaReporter;
pub use stats::{LastError, Stats};

/// Makes the examples of the guide doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/reporter.md")]
struct Guide;
