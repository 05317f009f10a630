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
//! reporter.flush(Duration::from_secs(5))?; // before a consumer commits its offsets, say
//! reporter.shutdown(Duration::from_secs(5))?; // the final report
//! # Ok(())
//! # }
//! ```
//!
//! Counting is an atomic addition; to look a counter up by its name and labels takes a lock that is shared and held for
//! no longer than that. Neither allocates once the counter is known, and neither waits for Kafka. One background thread
//! reads the counters and sends a *report* of their values: once per [interval](KafkaReporterBuilder::interval) if
//! something changed, and as a [heartbeat](KafkaReporterBuilder::heartbeat) otherwise, even before there is a counter.
//!
//! Reports are cumulative. While no broker is reachable, one report waits in the client, newer values wait in the
//! counters themselves, and the first report that arrives has everything: memory stays bounded and no count is lost as
//! long as the process lives. Nothing is printed; [`KafkaReporter::stats`] and `tracing` say what happens.
//!
//! # Runs and parts
//!
//! A reporter is one *run* of its instance: its key on the topic has a UUID made at the start, so a restart begins at
//! zero under another key and never lowers the fleet's total. A run with more series than fit
//! [one record](KafkaReporterBuilder::max_record_bytes) is reported in *parts*, each a record of its own that is sent
//! when it changed; a series joins the open part when it is registered and never moves.
//!
//! # Series
//!
//! The labels of a series are sorted, and one with an empty value is as good as none: keys that say the same share one
//! counter. Of two labels with the same name the last one counts, and a metric's own label goes before a
//! [global one](KafkaReporterBuilder::global_label).
//!
//! # Limits
//!
//! - Only counters are published. Gauges and histograms are accepted and do nothing: each name is warned about once,
//!   and [`Stats::unsupported_registrations`] counts them. Descriptions and units are not published either.
//! - A series over a limit (`max_series`, or the lengths in `quipu_record::limits`) is not reported: each name is warned
//!   about once, and [`Stats::refused_counts`] has what was added to such counters. At most 1,000 names are warned
//!   about.
//! - Series are never forgotten; labels of unbounded variety (user names, addresses) fill `max_series`.
//! - What is counted after the last report is lost if the process is killed. So is what a flush that failed did not
//!   bring through, if the process ends before a later report does.
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

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/reporter.md")]
struct Guide;
