//! The table and its sums at one offset of the log.

use std::collections::{HashMap, VecDeque};

use quipu_record::{Key, Record, Series, StateRowKind, decode};

use crate::history::History;
use crate::names::Names;
use crate::row::{Row, after_plain, after_report};
use crate::snapshot::Snapshot;

/// The table at one offset, and its sums.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) names: Names,
    entries: HashMap<Box<[u8]>, Entry>,
    sums: Vec<Sum>,
    history: History,
    /// Rows of the changelog whose offset was not reached yet.
    stored: VecDeque<(Box<[u8]>, Row)>,
    /// How many rows of the changelog agree with the log, as far as the log has their records.
    pub(crate) rows_agree: usize,
    /// The rows of the changelog that differ: the key, the log's row, and the changelog's row.
    pub(crate) rows_differ: Vec<(Box<[u8]>, Option<Row>, Row)>,
    rows: usize,
    /// The maximum number of rows so far.
    pub(crate) most_rows: usize,
}

/// The total of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) count: i128,
    /// How many rows contribute.
    pub(crate) rows: usize,
    /// How many of these rows come from the changelog, because the log lacks records.
    pub(crate) from_changelog: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// Whether the row is certain: the log lacks no record that matters for it.
    certain: bool,
    /// Whether the row comes from the changelog, or follows from a row that does.
    from_changelog: bool,
    row: Option<Row>,
}

impl Fold {
    /// An empty table. Rows of the changelog replace what is missing from the log.
    pub(crate) fn new(names: Names, snapshot: Snapshot) -> Self {
        Self { names, stored: snapshot.into_rows().into(), ..Self::default() }
    }

    /// Applies the next record.
    pub(crate) fn apply(&mut self, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.apply_stored(offset);
        let Some(key) = key.filter(|key| Key::decode(Some(key)).is_ok()) else {
            return self.history.see(offset, false);
        };
        self.history.see(offset, self.entries.contains_key(key));
        let whole = !self.history.may_lack(offset);
        let entry = self.entries.entry(key.into()).or_insert(Entry { certain: whole, ..Entry::default() });
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

    /// Applies the rows of the changelog up to `offset`. The next record must be after it.
    pub(crate) fn advance(&mut self, offset: i64) {
        self.apply_stored(offset.saturating_add(1));
    }

    /// Whether the log may lack records at or before `offset`, which must be before the next record.
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

    /// The rows of the changelog whose offset is beyond the end of the log.
    pub(crate) fn stored_beyond(&self) -> impl Iterator<Item = (&[u8], &Row)> {
        self.stored.iter().map(|(key, row)| (&**key, row))
    }

    fn apply_stored(&mut self, before: i64) {
        while self.stored.front().is_some_and(|(_, row)| row.offset < before) {
            let Some((key, stored)) = self.stored.pop_front() else { return };
            let whole = !self.history.may_lack(stored.offset);
            let entry = self.entries.entry(key.clone()).or_insert(Entry { certain: whole, ..Entry::default() });
            if entry.row.as_ref() == Some(&stored) {
                entry.certain = true;
                self.rows_agree += 1;
            } else if entry.certain || entry.row.as_ref().is_some_and(|row| contradicts(row, &stored)) {
                let found = entry.row.clone();
                self.rows_differ.push((key, found, stored));
            } else {
                self.rows_agree += 1;
                self.settle(&key, Some(stored), true);
            }
        }
    }

    /// Replaces a row by one that is certain, whatever records the log lacks.
    fn settle(&mut self, key: &[u8], row: Option<Row>, from_changelog: bool) {
        self.set(key, None);
        if let Some(entry) = self.entries.get_mut(key) {
            (entry.certain, entry.from_changelog) = (true, from_changelog);
        }
        self.set(key, row);
    }

    /// Replaces a row, and its contribution to the sums.
    fn set(&mut self, key: &[u8], row: Option<Row>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let from_changelog = usize::from(entry.from_changelog);
        if let Some(old) = entry.row.take() {
            self.rows -= 1;
            for (id, count) in old.contributions() {
                let sum = &mut self.sums[id];
                *sum = Sum {
                    count: sum.count - count,
                    rows: sum.rows - 1,
                    from_changelog: sum.from_changelog - from_changelog,
                };
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
                *sum = Sum {
                    count: sum.count + count,
                    rows: sum.rows + 1,
                    from_changelog: sum.from_changelog + from_changelog,
                };
            }
        }
        entry.row = row;
    }
}

/// Whether a row of the changelog contradicts the record at its own offset. The base is not compared, because it comes
/// from earlier records.
fn contradicts(row: &Row, stored: &Row) -> bool {
    let without_base = |kind: StateRowKind| match kind {
        StateRowKind::Plain { timestamp, .. } => StateRowKind::Plain { base: 0, timestamp },
        run @ StateRowKind::Run { .. } => run,
    };
    row.offset == stored.offset
        && (row.counters != stored.counters || without_base(row.kind) != without_base(stored.kind))
}
