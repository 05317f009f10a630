use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a reporter has done so far, and what failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Number of series that have been registered.
    pub series: usize,
    /// Number of records that one full report takes.
    pub parts: usize,
    /// Number of records that Kafka has not acknowledged yet, at most one for each part.
    pub in_flight: usize,
    /// Number of records handed to the Kafka client.
    pub reports_sent: u64,
    /// Number of records that Kafka acknowledged.
    pub reports_acked: u64,
    /// Number of records that failed; a newer record replaces each, so no count is lost.
    pub reports_failed: u64,
    /// Sum of the sizes of all values sent, in bytes before compression.
    pub bytes_sent: u64,
    /// Time since Kafka last acknowledged a record; `None` if it never did.
    pub last_ack: Option<Duration>,
    /// The last error; `None` if there was none.
    pub last_error: Option<LastError>,
    /// How often a counter was refused, because there are too many series or a name or label is over a limit.
    pub refused_registrations: u64,
    /// The sum of what was added to refused counters. These counts are not reported.
    pub refused_counts: u64,
    /// How often a gauge or a histogram was registered; these are not published.
    pub unsupported_registrations: u64,
    /// Whether this process was forked from the one that built the reporter and did not call
    /// [`restart_after_fork`](crate::KafkaReporter::restart_after_fork) yet. Nothing is reported then.
    pub forked: bool,
}

/// An error and its age.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// The error's text.
    pub message: String,
    /// Time since the error.
    pub age: Duration,
}

/// The part of the statistics that the reporter's thread keeps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) parts: usize,
    pub(crate) in_flight: usize,
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) failed: u64,
    pub(crate) bytes: u64,
    pub(crate) last_ack: Option<Instant>,
    pub(crate) last_error: Option<(Arc<str>, Instant)>,
}

impl Progress {
    pub(crate) fn fill(&self, stats: &mut Stats) {
        stats.parts = self.parts;
        stats.in_flight = self.in_flight;
        stats.reports_sent = self.sent;
        stats.reports_acked = self.acked;
        stats.reports_failed = self.failed;
        stats.bytes_sent = self.bytes;
        stats.last_ack = self.last_ack.map(|at| at.elapsed());
        stats.last_error =
            self.last_error.as_ref().map(|(message, at)| LastError { message: message.to_string(), age: at.elapsed() });
    }
}
