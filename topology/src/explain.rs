//! What a total is made of: the rows that contribute to it, and the retired sum.
//!
//! The rows are scanned in slices, so that records are applied between them. A change of a row that was scanned already is
//! taken over by the [`Scan`], so that at its end all parts and the total are of one position.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use quipu_record::{Offset, RetiredSum, StateRetired};

use crate::accumulator::{Amount, Contribution, RowId};
use crate::reduce::GroupId;
use crate::row::RowMeta;
use crate::table::Table;

/// How far the explanation of a total is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explained {
    /// There are more rows to scan.
    Scanning,
    /// There is no total of this series.
    NoTotal,
    /// All parts of the total.
    Done(Explanation),
}

/// What the total of one series is made of, at one position: `parts`, `omitted` and `retired` add up to `total`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The next source offset.
    pub position: Offset,
    /// The total.
    pub total: Amount,
    /// The rows that contribute the most, in descending order.
    pub parts: Vec<Part>,
    /// All other rows that contribute.
    pub omitted: PartSum,
    /// The rows that expired.
    pub retired: PartSum,
}

/// A row that contributes to a total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The key of its records.
    pub key: Box<[u8]>,
    /// Everything but its values.
    pub meta: RowMeta,
    /// What it contributes.
    pub amount: Amount,
}

/// What several rows contribute together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSum {
    /// How many rows these are.
    pub rows: u64,
    /// Their sum.
    pub amount: Amount,
}

/// What the rows contribute to one series, as far as they were scanned.
#[derive(Debug)]
pub(crate) struct Scan {
    id: GroupId,
    /// The first slot of the table that was not scanned yet.
    next: usize,
    /// By the number of the row.
    found: BTreeMap<usize, i128>,
}

impl Scan {
    pub(crate) fn new(id: GroupId) -> Self {
        Self { id, next: 0, found: BTreeMap::new() }
    }

    pub(crate) fn id(&self) -> GroupId {
        self.id
    }

    /// Takes over what a row contributes now to a series, if the row was scanned already.
    pub(crate) fn update(&mut self, id: GroupId, row: RowId, new: Option<&Contribution>) {
        let row = row.index();
        if id != self.id || row >= self.next {
            return;
        }
        match new {
            Some(Contribution { amount: Amount::Counter(count), .. }) => _ = self.found.insert(row, *count),
            None => _ = self.found.remove(&row),
        }
    }

    /// Scans this many slots more, and returns whether there are any left.
    pub(crate) fn advance(&mut self, table: &Table, slots: usize) -> bool {
        let end = self.next.saturating_add(slots).min(table.slots());
        for (row, _, found) in table.rows_from(self.next).take_while(|(row, ..)| *row < end) {
            let view = found.view();
            let mut values = view.values.iter().filter(|(id, _)| *id == self.id);
            let contribution = values.next().and_then(|(id, value)| view.contribution(id, value));
            if let Some(Contribution { amount: Amount::Counter(count), .. }) = contribution {
                self.found.insert(row, count);
            }
        }
        self.next = end;
        end < table.slots()
    }

    /// The rows that contribute the most, and the sum of the others.
    pub(crate) fn finish(self, table: &Table, limit: usize) -> (Vec<Part>, PartSum) {
        // The least of the rows that are kept so far is on top; among equal ones the later row.
        let mut most = BinaryHeap::new();
        let (mut rows, mut sum) = (0, 0);
        for (row, count) in &self.found {
            let candidate = (Reverse(*count), *row);
            if most.len() < limit {
                most.push(candidate);
                continue;
            }
            let (Reverse(omitted), _) = match most.peek_mut() {
                Some(mut least) if candidate < *least => std::mem::replace(&mut *least, candidate),
                _ => candidate,
            };
            rows += 1;
            sum += omitted;
        }
        let part = |(Reverse(count), row)| {
            let meta = table.get(row)?.meta.clone();
            Some(Part { key: table.key(row).into(), meta, amount: Amount::Counter(count) })
        };
        let parts = most.into_sorted_vec().into_iter().filter_map(part).collect();
        (parts, PartSum { rows, amount: Amount::Counter(sum) })
    }
}

impl From<Option<StateRetired>> for PartSum {
    fn from(retired: Option<StateRetired>) -> Self {
        let (rows, count) = match retired {
            Some(StateRetired { sum: RetiredSum::Counter(count), rows }) => (rows, count),
            None => (0, 0),
        };
        Self { rows, amount: Amount::Counter(count) }
    }
}
