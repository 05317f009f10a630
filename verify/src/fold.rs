//! The table and its sums at one offset of the log.

use std::collections::{HashMap, VecDeque};

use quipu_record::{Key, Record, Series, StateRowKind, decode};

use crate::history::History;
use crate::names::Names;
use crate::row::{Row, after_plain, after_report};
use crate::snapshot::Snapshot;

/// The table at one offset, and what it sums up to.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) names: Names,
    entries: HashMap<Box<[u8]>, Entry>,
    sums: Vec<Sum>,
    history: History,
    /// Rows of the changelog whose offset was not reached yet.
    stored: VecDeque<(Box<[u8]>, Row)>,
    /// How many rows of the changelog are what the log says, or as near to it as can be told.
    pub(crate) rows_agree: usize,
    /// The rows of the changelog that are not: the key, what the log says, and what the changelog says.
    pub(crate) rows_differ: Vec<(Box<[u8]>, Option<Row>, Row)>,
    rows: usize,
    /// The most rows that there were at once.
    pub(crate) most_rows: usize,
}

/// The total of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) count: i128,
    /// How many rows contribute.
    pub(crate) rows: usize,
    /// How many of them the log alone could not tell.
    pub(crate) helped: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// Its state is known: the log lacks nothing that matters for it.
    known: bool,
    /// Its row is, or follows from, one that only the changelog has.
    helped: bool,
    row: Option<Row>,
}

impl Fold {
    /// An empty table, which is helped by the changelog where the log is not whole.
    pub(crate) fn new(names: Names, snapshot: Snapshot) -> Self {
        Self { names, stored: snapshot.into_rows().into(), ..Self::default() }
    }

    /// Applies the next record.
    pub(crate) fn apply(&mut self, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.meet_stored(offset);
        let Some(key) = key.filter(|key| Key::decode(Some(key)).is_ok()) else {
            return self.history.see(offset, false);
        };
        self.history.see(offset, self.entries.contains_key(key));
        let whole = !self.history.may_lack(offset);
        let entry = self.entries.entry(key.into()).or_insert(Entry { known: whole, ..Entry::default() });
        let before = entry.row.as_ref();
        let after = match decode(Some(key), value) {
            Ok(Record::Tombstone { .. }) => return self.settle(key, None, false),
            Ok(Record::Report { report, .. }) => after_report(before, &report, offset, &mut self.names),
            Ok(Record::Plain { plain, .. }) => after_plain(before, &plain, offset, &mut self.names),
            Err(_) => None,
        };
        if after.is_some() {
            self.set(key, after);
        }
    }

    /// Takes what the changelog says as of `offset` or before. The next record is behind it.
    pub(crate) fn advance(&mut self, offset: i64) {
        self.meet_stored(offset.saturating_add(1));
    }

    /// Whether the log lacks records that stood at or before `offset`, which is before the next record.
    pub(crate) fn may_lack(&self, offset: i64) -> bool {
        self.history.may_lack(offset)
    }

    pub(crate) fn sum(&self, series: &Series) -> Sum {
        self.names.find(series).and_then(|id| self.sums.get(id)).copied().unwrap_or_default()
    }

    /// The series that have rows.
    pub(crate) fn sums(&self) -> impl Iterator<Item = (&Series, Sum)> {
        let present = self.sums.iter().enumerate().filter(|(_, sum)| sum.rows > 0);
        present.map(|(id, sum)| (self.names.get(id), *sum))
    }

    /// The row of a key.
    pub(crate) fn row(&self, key: &[u8]) -> Option<&Row> {
        self.entries.get(key)?.row.as_ref()
    }

    /// The keys that have rows.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().filter(|(_, entry)| entry.row.is_some()).map(|(key, _)| &**key)
    }

    /// The rows of the changelog that are behind the end of the log.
    pub(crate) fn stored_beyond(&self) -> impl Iterator<Item = (&[u8], &Row)> {
        self.stored.iter().map(|(key, row)| (&**key, row))
    }

    fn meet_stored(&mut self, before: i64) {
        while self.stored.front().is_some_and(|(_, row)| row.offset < before) {
            let Some((key, stored)) = self.stored.pop_front() else { return };
            let whole = !self.history.may_lack(stored.offset);
            let entry = self.entries.entry(key.clone()).or_insert(Entry { known: whole, ..Entry::default() });
            if entry.row.as_ref() == Some(&stored) {
                entry.known = true;
                self.rows_agree += 1;
            } else if entry.known || entry.row.as_ref().is_some_and(|row| contradicts(row, &stored)) {
                let found = entry.row.clone();
                self.rows_differ.push((key, found, stored));
            } else {
                self.rows_agree += 1;
                self.settle(&key, Some(stored), true);
            }
        }
    }

    /// Replaces a row by what is known for sure, whatever the log lacks.
    fn settle(&mut self, key: &[u8], row: Option<Row>, helped: bool) {
        self.set(key, None);
        if let Some(entry) = self.entries.get_mut(key) {
            (entry.known, entry.helped) = (true, helped);
        }
        self.set(key, row);
    }

    /// Replaces a row, and its part in the sums.
    fn set(&mut self, key: &[u8], row: Option<Row>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let helped = usize::from(entry.helped);
        if let Some(old) = entry.row.take() {
            self.rows -= 1;
            for (id, count) in old.contributions() {
                let sum = &mut self.sums[id];
                *sum = Sum { count: sum.count - count, rows: sum.rows - 1, helped: sum.helped - helped };
            }
        }
        if let Some(new) = &row {
            self.rows += 1;
            self.most_rows = self.most_rows.max(self.rows);
            for (id, count) in new.contributions() {
                if id >= self.sums.len() {
                    self.sums.resize(id + 1, Sum::default());
                }
                let sum = &mut self.sums[id];
                *sum = Sum { count: sum.count + count, rows: sum.rows + 1, helped: sum.helped + helped };
            }
        }
        entry.row = row;
    }
}

/// Whether a row of the changelog is not what the very record says that it names. A base is older than that record.
fn contradicts(row: &Row, stored: &Row) -> bool {
    let without_base = |kind: StateRowKind| match kind {
        StateRowKind::Plain { timestamp, .. } => StateRowKind::Plain { base: 0, timestamp },
        run @ StateRowKind::Run { .. } => run,
    };
    row.offset == stored.offset
        && (row.counters != stored.counters || without_base(row.kind) != without_base(stored.kind))
}
