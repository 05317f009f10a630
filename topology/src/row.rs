use quipu_record::{Life, Millis, Offset, Value};

use crate::accumulator::{Amount, Contribution};
use crate::change::Change;
use crate::reduce::GroupId;
use crate::rules::PlainRow;
use crate::values::{Entry, Values, ValuesRef};

/// A row of the table: the latest valid report of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) meta: RowMeta,
    pub(crate) values: Values,
    /// The values that do not count: those with which a row began whose history was unknown, and those of series that were
    /// forgotten. Most rows have none.
    pub(crate) baseline: Option<Box<Baseline>>,
}

/// The values of a row that do not count, sorted by series.
pub(crate) type Baseline = Vec<Entry<u64>>;

/// Everything but the values of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowMeta {
    /// The kind of the row.
    pub kind: RowKind,
    /// Whether the run contributes to `instances`: it neither left nor fell silent.
    pub live: bool,
    /// Event time of its newest record.
    pub last_seen: Millis,
    /// The log time of its newest record.
    pub log_time: Millis,
    /// The offset of its newest record.
    pub offset: Offset,
}

/// The kind of a row, and the fields that only this kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKind {
    /// (A part of) a run.
    Run {
        /// The sequence number of its newest report.
        seq: u64,
        /// How many parts the run has, as its newest report has it; 0 if that is unknown.
        parts: u32,
        /// Whether its newest report is the run's last.
        is_final: bool,
        /// Whether the row began with a baseline, because the history of the run was unknown.
        is_rebased: bool,
    },
    /// A plain record.
    Plain {
        /// What the row contributes beyond its count.
        base: i128,
        /// The timestamp in its newest record, if it has one.
        timestamp: Option<Millis>,
        /// What its records declare beyond that, if anything.
        declared: Option<Box<Declared>>,
    },
}

/// What the records of a plain key declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Declared {
    /// When the count began at zero.
    pub start: Option<Millis>,
    /// The count with the next earlier start.
    pub previous: Option<Life>,
    /// Whether the row may expire.
    pub expires: bool,
}

/// The part of a row that contributes to totals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowView<'a> {
    pub(crate) values: ValuesRef<'a>,
    pub(crate) baseline: &'a [Entry<u64>],
    pub(crate) base: i128,
    pub(crate) live: bool,
}

/// A change of one row.
pub(crate) type RowChange<'a> = Change<RowView<'a>>;

impl Row {
    pub(crate) fn view(&self) -> RowView<'_> {
        self.view_of(&self.meta, self.values.as_ref())
    }

    /// The row as it is with a newer report.
    pub(crate) fn view_of<'a>(&'a self, meta: &RowMeta, values: ValuesRef<'a>) -> RowView<'a> {
        let base = match meta.kind {
            RowKind::Run { .. } => 0,
            RowKind::Plain { base, .. } => base,
        };
        let baseline = self.baseline.as_deref().map_or(&[][..], Vec::as_slice);
        RowView { values, baseline, base, live: meta.live }
    }

    /// The memory that the row takes beyond its own size, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let declared = match &self.meta.kind {
            RowKind::Plain { declared: Some(_), .. } => size_of::<Declared>(),
            RowKind::Plain { declared: None, .. } | RowKind::Run { .. } => 0,
        };
        let baseline = self.baseline.as_ref().map_or(0, |baseline| size_of::<Baseline>() + size_of_val(&***baseline));
        self.values.heap_bytes() + baseline + declared
    }

    /// Takes over a newer report.
    pub(crate) fn set(&mut self, meta: RowMeta, values: ValuesRef<'_>) {
        self.meta = meta;
        self.values.set(values);
    }

    /// The row as the rules for plain counters need it, and its series.
    pub(crate) fn plain(&self) -> Option<(GroupId, PlainRow)> {
        let (RowKind::Plain { base, timestamp, declared }, [(series, count)]) =
            (&self.meta.kind, self.values.as_ref().counters)
        else {
            return None;
        };
        let Declared { start, previous, .. } = declared.as_deref().copied().unwrap_or_default();
        Some((*series, PlainRow { count: *count, base: *base, timestamp: *timestamp, start, previous }))
    }
}

impl RowKind {
    /// The kind of the row of a plain counter.
    pub(crate) fn plain(row: &PlainRow, expires: bool) -> Self {
        let PlainRow { base, timestamp, start, previous, .. } = *row;
        let declared = Declared { start, previous, expires };
        let declared = (declared != Declared::default()).then(|| Box::new(declared));
        Self::Plain { base, timestamp, declared }
    }

    /// Whether the row may expire by itself or with its run.
    pub(crate) fn expires(&self) -> bool {
        match self {
            Self::Run { .. } => true,
            Self::Plain { declared, .. } => declared.as_ref().is_some_and(|declared| declared.expires),
        }
    }
}

impl RowView<'_> {
    /// What one value of the row contributes to its series; nothing if nothing was counted since the baseline.
    pub(crate) fn contribution(&self, id: GroupId, value: Value) -> Option<Contribution> {
        let amount = match value {
            Value::Counter(count) => {
                // A base is a sum of 64-bit counts, one for each restart: it can't come near 2^127.
                let counted = self.base.saturating_add(i128::from(count));
                match self.baseline.binary_search_by_key(&id, |(id, _)| *id) {
                    Ok(at) if counted == i128::from(self.baseline[at].1) => return None,
                    Ok(at) => Amount::Counter(counted - i128::from(self.baseline[at].1)),
                    Err(_) => Amount::Counter(counted),
                }
            }
        };
        Some(Contribution { amount, live: self.live })
    }
}
