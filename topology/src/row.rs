use quipu_record::{Millis, Offset, Value};

use crate::accumulator::{Amount, Contribution};
use crate::change::Change;
use crate::values::{Values, ValuesRef};

/// A row of the table: the latest valid report of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) meta: RowMeta,
    pub(crate) values: Values,
}

/// Everything but the values of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMeta {
    /// The kind of the row.
    pub kind: RowKind,
    /// Whether the run contributes to `instances`: it neither left nor fell silent.
    pub live: bool,
    /// Event time of its newest record.
    pub last_seen: Millis,
    /// The offset of its newest record.
    pub offset: Offset,
}

/// The kind of a row, and the fields that only this kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// (A part of) a run.
    Run {
        /// The sequence number of its newest report.
        seq: u64,
    },
    /// A plain record.
    Plain {
        /// What was counted before its restarts.
        base: u128,
        /// The timestamp in its newest record, if it has one.
        timestamp: Option<Millis>,
    },
}

/// The part of a row that contributes to totals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowView<'a> {
    pub(crate) values: ValuesRef<'a>,
    pub(crate) base: u128,
    pub(crate) live: bool,
}

/// A change of one row.
pub(crate) type RowChange<'a> = Change<RowView<'a>>;

impl Row {
    pub(crate) fn view(&self) -> RowView<'_> {
        RowView::new(&self.meta, self.values.as_ref())
    }

    /// Takes over a newer report.
    pub(crate) fn set(&mut self, meta: RowMeta, values: ValuesRef<'_>) {
        self.meta = meta;
        self.values.set(values);
    }
}

impl<'a> RowView<'a> {
    pub(crate) fn new(meta: &RowMeta, values: ValuesRef<'a>) -> Self {
        let base = match meta.kind {
            RowKind::Run { .. } => 0,
            RowKind::Plain { base, .. } => base,
        };
        Self { values, base, live: meta.live }
    }

    /// What one value of the row contributes to its series.
    pub(crate) fn contribution(&self, value: Value) -> Contribution {
        let amount = match value {
            Value::Counter(count) => {
                // A base is a sum of 64-bit counts, one for each restart: it can't come near 2^127.
                let base = i128::try_from(self.base).unwrap_or(i128::MAX);
                Amount::Counter(base.saturating_add(i128::from(count)))
            }
        };
        Contribution { amount, live: self.live }
    }
}
