//! Pairs of totals that are compared: what was sent and what was processed.

use quipu_record::{Aggregate, AggregateType, Millis, Offset, Selector, Series, SeriesRef};

use crate::change::Change;
use crate::group::{AbelianGroup, Contribution};
use crate::reduce::{GroupId, Reduce};

/// The series that are derived of each audit, labelled `audit`: the total of what was sent,
pub const SENT: &str = "quipu_audit_sent";
/// the total of what was processed,
pub const PROCESSED: &str = "quipu_audit_processed";
/// and processed less sent.
pub const DELTA: &str = "quipu_audit_delta";

/// A pair of totals, what was sent and what was processed, and a name for their difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The label `audit` of the series that are derived from the pair.
    pub name: String,
    /// The series that count what was sent.
    pub sent: Selector,
    /// The series that count what was processed.
    pub processed: Selector,
}

/// What was sent and what was processed: the two sides of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// The total of the series that count what was sent.
    pub sent: Contribution,
    /// The total of the series that count what was processed.
    pub processed: Contribution,
}

impl AbelianGroup for Balance {
    fn zero() -> Self {
        Self::default()
    }

    fn add(&mut self, other: &Self) {
        self.sent.add(&other.sent);
        self.processed.add(&other.processed);
    }

    fn sub(&mut self, other: &Self) {
        self.sent.sub(&other.sent);
        self.processed.sub(&other.processed);
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Sent,
    Processed,
}

type Parts = Box<[(GroupId, Side)]>;

/// Groups the changes of series by audit and reduces them, as [`Reduce`] did with the changes of rows.
#[derive(Debug)]
pub(crate) struct Audits {
    configured: Vec<Audit>,
    /// For each series, the audits that it is a part of, once they were looked up.
    parts: Vec<Option<Parts>>,
    pub(crate) reduce: Reduce<Balance>,
}

impl Audits {
    pub(crate) fn new(audits: Vec<Audit>) -> Self {
        Self { configured: audits, parts: Vec::new(), reduce: Reduce::new() }
    }

    /// Forwards the change of a series to the audits that it is a part of.
    pub(crate) fn update(
        &mut self,
        id: GroupId,
        series: SeriesRef<'_>,
        change: &Change<Contribution>,
        timestamp: Millis,
    ) {
        if self.configured.is_empty() {
            return;
        }
        if id.index() >= self.parts.len() {
            self.parts.resize(id.index() + 1, None);
        }
        let parts = self.parts[id.index()].get_or_insert_with(|| parts(&self.configured, series));
        for (audit, side) in &*parts {
            let on_side = |part: Contribution| match side {
                Side::Sent => Balance { sent: part, ..Balance::default() },
                Side::Processed => Balance { processed: part, ..Balance::default() },
            };
            self.reduce.update(
                *audit,
                &Change { old: change.old.map(on_side), new: change.new.map(on_side) },
                timestamp,
            );
        }
    }

    /// Forgets what a series is a part of, because its number may be given to another.
    pub(crate) fn forget(&mut self, id: GroupId) {
        if let Some(parts) = self.parts.get_mut(id.index()) {
            *parts = None;
        }
    }

    /// The series that an audit derives. A delta below zero means behind; above zero, at least so many duplicates.
    pub(crate) fn aggregates(&self, id: GroupId, offset: Offset) -> Vec<Aggregate> {
        let (Some(audit), Some(balance)) = (self.configured.get(id.index()), self.reduce.get(id)) else {
            return Vec::new();
        };
        let Balance { sent, processed } = *balance.value;
        [
            (SENT, AggregateType::Counter, sent.count, sent.live),
            (PROCESSED, AggregateType::Counter, processed.count, processed.live),
            (DELTA, AggregateType::Gauge, processed.count - sent.count, sent.live + processed.live),
        ]
        .into_iter()
        .filter_map(|(name, kind, count, live)| {
            // The name of an audit is checked with the configuration.
            let series = Series::new(name, [("audit", audit.name.as_str())]).ok()?;
            let instances = u64::try_from(live).unwrap_or(0);
            Some(Aggregate { series, kind, count, timestamp: balance.timestamp, offset, instances })
        })
        .collect()
    }
}

fn parts(audits: &[Audit], series: SeriesRef<'_>) -> Parts {
    let mut parts = Vec::new();
    for (index, audit) in audits.iter().enumerate() {
        for (selector, side) in [(&audit.sent, Side::Sent), (&audit.processed, Side::Processed)] {
            if selector.matches(&series) {
                parts.push((GroupId::new(index), side));
            }
        }
    }
    parts.into_boxed_slice()
}
