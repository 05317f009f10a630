use serde::Serialize;

use super::chart::Scale;
use super::timeline::{EventRow, timeline};
use crate::app::{App, Scope};
use crate::fleet::{Audit, ObservedSeries};
use crate::name::Name;

/// One audit and the timeline.
#[derive(Debug)]
pub struct AuditView {
    /// The audit; none if there is none.
    pub shown: Option<AuditRow>,
    /// Which of how many it is, counted from 0.
    pub index: usize,
    /// How many audits there are.
    pub count: usize,
    /// How the delta went, from left to right, at equal distances; none where it is not known.
    pub points: Vec<Option<f64>>,
    /// The vertical axis.
    pub scale: Scale,
    /// How much time the chart shows, in ms.
    pub span: i64,
    /// The timeline, newest first.
    pub events: Vec<EventRow>,
}

/// An audit's numbers.
#[derive(Debug, Serialize)]
pub struct AuditRow {
    /// Its name.
    pub audit: Name,
    /// How much was sent.
    pub sent: Option<i128>,
    /// How much was sent per second.
    pub sent_rate: Option<f64>,
    /// How much was processed.
    pub processed: Option<i128>,
    /// How much was processed per second.
    pub processed_rate: Option<f64>,
    /// Processed less sent.
    pub delta: Option<i128>,
    /// How many records were processed twice at least; 0 if the delta proves nothing.
    pub duplicates: i128,
}

impl AuditView {
    pub(super) fn new(app: &App, scope: Scope<'_>) -> Self {
        let audits: Vec<Audit<'_>> = scope.fleet.audits().collect();
        let index = app.audit(audits.len());
        let shown = audits.get(index);
        let span = app.span();
        let points = shown
            .and_then(|audit| audit.delta)
            .map_or_else(Vec::new, |delta| scope.total_values(delta.history(), span, usize::from(app.size.0) * 2));
        Self {
            shown: shown.map(|audit| row(audit, scope)),
            index,
            count: audits.len(),
            scale: Scale::around(points.iter().flatten().copied()),
            points,
            span,
            events: timeline(scope),
        }
    }
}

/// The numbers of all audits.
#[must_use]
pub fn audits(scope: Scope<'_>) -> Vec<AuditRow> {
    scope.fleet.audits().map(|audit| row(&audit, scope)).collect()
}

fn row(audit: &Audit<'_>, scope: Scope<'_>) -> AuditRow {
    let count = |series: Option<&ObservedSeries>| Some(series?.total()?.count);
    let rate = |series: Option<&ObservedSeries>| scope.total_rate(series?.history());
    AuditRow {
        audit: Name::new(audit.name),
        sent: count(audit.sent),
        sent_rate: rate(audit.sent),
        processed: count(audit.processed),
        processed_rate: rate(audit.processed),
        delta: audit.delta_count(),
        duplicates: audit.duplicates(),
    }
}
