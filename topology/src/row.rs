use std::ops::{Deref, DerefMut};
use std::slice;

use quipu_record::{Millis, Offset};

use crate::change::Change;
use crate::group::Contribution;
use crate::reduce::GroupId;

/// A row of the table: the latest valid report of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) meta: RowMeta,
    /// Each series once, in the order of the record.
    pub(crate) counters: Counters,
}

/// The counters of a row, as a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Counters {
    /// That of a plain counter stands in the row itself, which spares every record a look at memory elsewhere.
    One(Counter),
    Many(Box<[Counter]>),
}

/// A series and what the record says was counted.
pub(crate) type Counter = (GroupId, u64);

/// What is known of a row beside its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMeta {
    /// Whose row it is.
    pub kind: RowKind,
    /// Whether the run contributes to `instances`: it neither left nor fell silent.
    pub live: bool,
    /// Event time of its newest record.
    pub last_seen: Millis,
    /// The source offset that the row reflects.
    pub offset: Offset,
}

/// Whose row it is, and what is known of it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// (A part of) a run.
    Run {
        /// The sequence number of its newest report.
        seq: u64,
    },
    /// A plain counter.
    Plain {
        /// What was counted before its restarts.
        base: u128,
        /// The timestamp of its payload.
        timestamp: Option<Millis>,
    },
}

/// What of a row counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowView<'a> {
    pub(crate) counters: &'a [Counter],
    pub(crate) base: u128,
    pub(crate) live: bool,
}

/// A change of one row.
pub(crate) type RowChange<'a> = Change<RowView<'a>>;

impl From<&[Counter]> for Counters {
    fn from(counters: &[Counter]) -> Self {
        match counters {
            [counter] => Self::One(*counter),
            counters => Self::Many(counters.into()),
        }
    }
}

impl Deref for Counters {
    type Target = [Counter];

    fn deref(&self) -> &[Counter] {
        match self {
            Self::One(counter) => slice::from_ref(counter),
            Self::Many(counters) => counters,
        }
    }
}

impl DerefMut for Counters {
    fn deref_mut(&mut self) -> &mut [Counter] {
        match self {
            Self::One(counter) => slice::from_mut(counter),
            Self::Many(counters) => counters,
        }
    }
}

impl Row {
    pub(crate) fn view(&self) -> RowView<'_> {
        RowView::new(&self.meta, &self.counters)
    }

    /// Takes over newer counters, in place where their number is the same.
    pub(crate) fn set(&mut self, meta: RowMeta, counters: &[Counter]) {
        self.meta = meta;
        if self.counters.len() == counters.len() {
            self.counters.copy_from_slice(counters);
        } else {
            self.counters = counters.into();
        }
    }
}

impl<'a> RowView<'a> {
    pub(crate) fn new(meta: &RowMeta, counters: &'a [Counter]) -> Self {
        let base = match meta.kind {
            RowKind::Run { .. } => 0,
            RowKind::Plain { base, .. } => base,
        };
        Self { counters, base, live: meta.live }
    }

    /// What one counter of the row contributes to its series.
    pub(crate) fn contribution(&self, value: u64) -> Contribution {
        // A base is a sum of 64-bit counts, one a restart: it can't come near 2^127.
        let base = i128::try_from(self.base).unwrap_or(i128::MAX);
        Contribution { count: base.saturating_add(i128::from(value)), live: i64::from(self.live) }
    }
}
