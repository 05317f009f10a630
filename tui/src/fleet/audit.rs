use quipu_record::Series;

use super::series::ObservedSeries;

/// What was sent, what was processed, and the difference, as the aggregator derives them.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// The audit's name in the aggregator's configuration.
    pub name: &'a str,
    /// How much was sent.
    pub sent: Option<&'a ObservedSeries>,
    /// How much was processed.
    pub processed: Option<&'a ObservedSeries>,
    /// Processed less sent: negative is behind.
    pub delta: Option<&'a ObservedSeries>,
    /// How much may have been sent since the senders' last reports: a positive delta up to this proves nothing, as the
    /// consumers' reports may just be the newer ones.
    pub jitter: i128,
    /// The lowest delta of the last moments: a sender's report that comes late makes a peak, duplicates make a step.
    pub lowest: i128,
}

impl Audit<'_> {
    /// The newest delta.
    #[must_use]
    pub fn delta_count(&self) -> Option<i128> {
        Some(self.delta?.total()?.count)
    }

    /// The delta if it proves that records were processed twice; else 0.
    #[must_use]
    pub fn duplicates(&self) -> i128 {
        self.delta_count().filter(|delta| *delta.min(&self.lowest) > self.jitter).unwrap_or(0)
    }
}

/// What was last found out about an audit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Finding {
    /// How much may have been sent since the senders' last reports, and be processed already.
    pub(super) jitter: i128,
    /// The lowest delta of the last moments.
    pub(super) lowest: i128,
    /// Whether duplicates were found since the delta was last below zero.
    pub(super) has_duplicates: bool,
}

/// Which of an audit's series one is.
#[derive(Debug, Clone, Copy)]
pub(super) enum AuditPart {
    Sent,
    Processed,
    Delta,
}

impl AuditPart {
    /// Tells an audit's series by its name, and the audit by the label.
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
