use serde::Serialize;

use super::chart::Scale;
use super::timeline::{EventRow, timeline};
use crate::app::{App, Scope};
use crate::fleet::{Audit, ObservedSeries};
use crate::name::Name;

/// One audit and the timeline.
#[derive(Debug)]
pub struct AuditView {
    /// The audit that is shown; `None` without audits.
    pub shown: Option<AuditRow>,
    /// The index of the audit, from 0.
    pub index: usize,
    /// How many audits there are.
    pub count: usize,
    /// The delta over time, from left to right, at equal distances; `None` where there is no data.
    pub points: Vec<Option<f64>>,
    /// The vertical axis.
    pub scale: Scale,
    /// The time span of the chart, in ms.
    pub span: i64,
    /// The timeline, newest first.
    pub events: Vec<EventRow>,
}

/// The numbers of an audit.
#[derive(Debug, Serialize)]
pub struct AuditRow {
    /// The name of the audit.
    pub audit: Name,
    /// The number of records sent.
    pub sent: Option<i128>,
    /// The records sent per second.
    pub sent_rate: Option<f64>,
    /// The number of records processed.
    pub processed: Option<i128>,
    /// The records processed per second.
    pub processed_rate: Option<f64>,
    /// Processed minus sent.
    pub delta: Option<i128>,
    /// At least this many records were processed twice; 0 if the delta does not prove duplicates.
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

/// Returns the numbers of all audits.
#[must_use]
pub fn audits(scope: Scope<'_>) -> Vec<AuditRow> {
    scope.fleet.audits().map(|audit| row(&audit, scope)).collect()
}

fn row(audit: &Audit<'_>, scope: Scope<'_>) -> AuditRow {
    let count = |series: Option<&ObservedSeries>| Some(series?.total()?.count());
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
