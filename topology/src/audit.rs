//! Pairs of totals that are compared: what was sent and what was processed.

use quipu_record::{Aggregate, AggregateType, Millis, Offset, Selector, Series, SeriesRef};

use crate::accumulator::{Accumulator, Amount, Contribution, CounterSum, RowId};
use crate::change::Change;
use crate::reduce::{GroupId, Reduce};

/// The name of the series with the total of what was sent. It has one label, `audit`, as have the other two.
pub const SENT: &str = "quipu_audit_sent";
/// The name of the series with the total of what was processed.
pub const PROCESSED: &str = "quipu_audit_processed";
/// The name of the series with the difference: processed minus sent.
pub const DELTA: &str = "quipu_audit_delta";

/// A pair of totals, what was sent and what was processed, and a name for the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The label `audit` of the series that are derived from the pair.
    pub name: String,
    /// The series that count what was sent.
    pub sent: Selector,
    /// The series that count what was processed.
    pub processed: Selector,
}

/// The accumulator of an audit: what was sent and what was processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Balance {
    /// The sum of the series that count what was sent.
    pub sent: CounterSum,
    /// The sum of the series that count what was processed.
    pub processed: CounterSum,
}

/// The side of an audit that a series belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Sent,
    Processed,
}

impl Balance {
    fn side(&mut self, side: Side) -> &mut CounterSum {
        match side {
            Side::Sent => &mut self.sent,
            Side::Processed => &mut self.processed,
        }
    }
}

impl Accumulator for Balance {
    type Value = (Side, Contribution);
    type Total = Self;

    fn new(_: &Self::Value) -> Self {
        Self::default()
    }

    fn add(&mut self, _: RowId, (side, value): &Self::Value) {
        match value.amount {
            Amount::Counter(count) => self.side(*side).add(count, value.live),
        }
    }

    fn sub(&mut self, _: RowId, (side, value): &Self::Value) {
        match value.amount {
            Amount::Counter(count) => self.side(*side).sub(count, value.live),
        }
    }

    fn read(&self) -> Self {
        *self
    }
}

type Parts = Box<[(GroupId, Side)]>;

/// Groups the changes of series by audit and reduces them, as [`Reduce`] did with the changes of rows.
#[derive(Debug)]
pub(crate) struct Audits {
    configured: Vec<Audit>,
    /// The audits that each series is a part of, if they were looked up.
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
        row: RowId,
        change: &Change<Contribution>,
        timestamp: Millis,
    ) {
        self.each_part(id, series, |reduce, audit, side| {
            reduce.update(audit, row, &on_side(change, side), timestamp);
        });
    }

    /// Forwards that what a row contributed to a series was moved to another row, see [`Reduce::transfer`].
    pub(crate) fn transfer(
        &mut self,
        id: GroupId,
        series: SeriesRef<'_>,
        from: (RowId, &Contribution),
        to: (RowId, &Change<Contribution>),
    ) {
        self.each_part(id, series, |reduce, audit, side| {
            reduce.transfer(audit, (from.0, &(side, *from.1)), (to.0, &on_side(to.1, side)));
        });
    }

    fn each_part(
        &mut self,
        id: GroupId,
        series: SeriesRef<'_>,
        mut each: impl FnMut(&mut Reduce<Balance>, GroupId, Side),
    ) {
        if self.configured.is_empty() {
            return;
        }
        if id.index() >= self.parts.len() {
            self.parts.resize(id.index() + 1, None);
        }
        let parts = self.parts[id.index()].get_or_insert_with(|| parts(&self.configured, series));
        for (audit, side) in &*parts {
            each(&mut self.reduce, *audit, *side);
        }
    }

    /// Forgets which audits a series is a part of, because its number may be given to another series.
    pub(crate) fn forget(&mut self, id: GroupId) {
        if let Some(parts) = self.parts.get_mut(id.index()) {
            *parts = None;
        }
    }

    /// The series that an audit derives. A negative delta is the number of records that are not processed yet; a positive
    /// one means that at least that many records were processed twice.
    pub(crate) fn aggregates(&self, id: GroupId, offset: Offset) -> Vec<Aggregate> {
        let (Some(audit), Some(balance)) = (self.configured.get(id.index()), self.reduce.get(id)) else {
            return Vec::new();
        };
        let Balance { sent, processed } = balance.total;
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

fn on_side(change: &Change<Contribution>, side: Side) -> Change<(Side, Contribution)> {
    let on_side = |part: Contribution| (side, part);
    Change { old: change.old.map(on_side), new: change.new.map(on_side) }
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
