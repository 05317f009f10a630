use quipu_record::Series;

use super::series::ObservedSeries;

/// An audit: what was sent, what was processed, and the difference, as the aggregator publishes them.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// The audit's name in the aggregator's configuration.
    pub name: &'a str,
    /// The number of records sent.
    pub sent: Option<&'a ObservedSeries>,
    /// The number of records processed.
    pub processed: Option<&'a ObservedSeries>,
    /// Processed minus sent; negative while the consumers are behind.
    pub delta: Option<&'a ObservedSeries>,
    /// How many records may have been sent since the senders' last reports. A positive delta up to this number does not
    /// prove duplicates, because the consumers' reports may be newer than the senders' reports.
    pub jitter: i128,
    /// The lowest delta of the last few seconds. A late report of a sender makes a peak in the delta, duplicates make a
    /// step.
    pub lowest: i128,
}

impl Audit<'_> {
    /// Returns the newest delta.
    #[must_use]
    pub fn delta_count(&self) -> Option<i128> {
        Some(self.delta?.total()?.count())
    }

    /// Returns whether nothing was sent lately, so that no report that is still to come changes the number of records sent.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.jitter == 0
    }

    /// Returns the delta if it proves that records were processed twice, or else 0.
    #[must_use]
    pub fn duplicates(&self) -> i128 {
        self.delta_count().filter(|delta| *delta.min(&self.lowest) > self.jitter).unwrap_or(0)
    }
}

/// The result of the last check of an audit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Finding {
    /// How many records may have been sent since the senders' last reports and already be processed.
    pub(super) jitter: i128,
    /// The lowest delta of the last few seconds.
    pub(super) lowest: i128,
    /// Whether duplicates were found since the delta was last below zero.
    pub(super) has_duplicates: bool,
}

/// One of the three series of an audit.
#[derive(Debug, Clone, Copy)]
pub(super) enum AuditPart {
    Sent,
    Processed,
    Delta,
}

impl AuditPart {
    /// Returns which part of which audit a series is: the name gives the part, the label `audit` gives the audit.
    pub(super) fn of(series: &Series) -> Option<(Self, &str)> {
        let part = match series.name() {
            "quipu_audit_sent" => Self::Sent,
            "quipu_audit_processed" => Self::Processed,
            "quipu_audit_delta" => Self::Delta,
            _ => return None,
        };
        Some((part, series.label("audit")?))
    }
}
