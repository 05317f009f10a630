use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a reporter has done so far, and what it could not do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Series that have been registered.
    pub series: usize,
    /// Records that one full report takes.
    pub parts: usize,
    /// Records that Kafka has not acknowledged yet, at most one for each part.
    pub in_flight: usize,
    /// Records handed to the Kafka client.
    pub reports_sent: u64,
    /// Records that Kafka acknowledged.
    pub reports_acked: u64,
    /// Records that failed; each was or will be replaced by a newer one, so no count is lost.
    pub reports_failed: u64,
    /// Bytes of the values of the records sent, before compression.
    pub bytes_sent: u64,
    /// How long ago Kafka last acknowledged a record; `None`: never.
    pub last_ack: Option<Duration>,
    /// What went wrong last; `None`: nothing so far.
    pub last_error: Option<LastError>,
    /// How often a counter was asked for and refused: there are too many series, or a name or label is over a limit.
    pub refused_registrations: u64,
    /// The sum of what was added to refused counters; nobody else sees these counts.
    pub refused_counts: u64,
    /// How often a gauge or a histogram was asked for; they are not published.
    pub unsupported_registrations: u64,
    /// Whether this process was forked from the one that built the reporter and did not call
    /// [`restart_after_fork`](crate::KafkaReporter::restart_after_fork); nothing is reported then.
    pub forked: bool,
}

/// An error and its age.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// What went wrong.
    pub message: String,
    /// How long ago.
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
