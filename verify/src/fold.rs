//! The table and its sums at one offset of the log.

mod expiry;
mod history;
mod markers;
mod restore;
mod sum;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use quipu_record::{Key, Millis, Record, Series, decode};
use rdkafka::Timestamp;

use crate::names::{Names, SeriesId};
use crate::retention::Retention;
use crate::row::{Row, after_plain, after_report};
use crate::snapshot::{Expired, KeyedRow, Snapshot};
use expiry::{Expiry, Origin};
use history::History;
use restore::Stored;

pub(crate) use restore::{Findings, RowDifference};
pub(crate) use sum::{Sum, Sums};

/// How far in the future a run may begin, by the time of its record.
const CLOCK_ERROR: Millis = Millis(3_600_000);

/// The table at one offset, and its sums.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) names: Names,
    entries: HashMap<Box<[u8]>, Entry>,
    sums: Sums,
    history: History,
    expiry: Expiry,
    /// Rows of the changelog whose offset was not reached yet.
    stored: VecDeque<KeyedRow>,
    /// What else the changelog has, and the offset up to which it is true, until that is reached.
    restorable: Option<(i64, Expired)>,
    /// Whether that was reached.
    restored: bool,
    pub(crate) findings: Findings,
    rows: usize,
    /// The maximum number of rows so far.
    pub(crate) most_rows: usize,
}

/// A record of `metrics`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogRecord<'a> {
    pub(crate) offset: i64,
    pub(crate) timestamp: Timestamp,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
}

/// Where and when a record is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) offset: i64,
    pub(crate) log_time: Millis,
    /// The time of the record.
    pub(crate) timestamp: Option<Millis>,
}

/// What is known of a key.
#[derive(Debug, Default)]
struct Entry {
    /// Whether the row is certain: the log lacks no record that matters for it.
    certain: bool,
    /// Whether the row comes from the changelog, or follows from a row that does.
    from_changelog: bool,
    expires: Expires,
    row: Option<Row>,
    /// The row of the changelog, as soon as its offset was reached, and until the changelog's position is reached.
    stored: Option<Stored>,
}

/// Whether the row of a key expires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Expires {
    /// None that it had may expire.
    #[default]
    Never,
    /// It may expire, or may have done so between two records, or one before it may.
    May,
    /// It has expired.
    Has,
}

impl Entry {
    /// What a row of this entry contributes to the sums.
    fn contributions(&self, row: &Row) -> impl Iterator<Item = (SeriesId, Sum)> {
        let from_changelog = u64::from(self.from_changelog);
        row.contributions().map(move |(id, count)| (id, Sum { count, rows: 1, from_changelog, ..Sum::default() }))
    }
}

impl Fold {
    /// An empty table. The changelog replaces what is missing from the log.
    pub(crate) fn new(names: Names, snapshot: Snapshot, retention: Retention) -> Self {
        let newest = snapshot.newest();
        let (rows, expired) = snapshot.into_parts();
        let expiry = Expiry::new(retention);
        let restorable = newest.map(|newest| (newest, expired));
        Self { names, stored: rows.into(), restorable, expiry, ..Self::default() }
    }

    /// Applies the next record.
    pub(crate) fn apply(&mut self, record: LogRecord<'_>) {
        let LogRecord { offset, timestamp, key, value } = record;
        self.restore_before(offset);
        let key = key.filter(|key| Key::decode(Some(key)).is_ok());
        self.history.see(offset, key.is_some_and(|key| self.entries.contains_key(key)));
        let is_whole = !self.history.may_lack(offset);
        // Where records are missing, log time is not known: compaction shortens the gaps.
        if self.expiry.retention.is_on() && (is_whole || self.restored) {
            self.tick(timestamp);
        }
        let Some(key) = key else { return };
        let at = At { offset, log_time: self.expiry.clock.log_time, timestamp: timestamp.to_millis().map(Millis) };
        self.entries.entry(key.into()).or_insert(Entry { certain: is_whole, ..Entry::default() });
        let Ok(record) = decode(Some(key), value) else { return };
        let before = self.entries.get(key).and_then(|entry| entry.row.as_ref());
        let origin = if before.is_some() { Origin::New } else { self.origin(key, &record, at) };
        if origin == Origin::Stale {
            return;
        }
        let rebased = origin == Origin::Unknown;
        let after = match &record {
            Record::Tombstone { .. } => return self.remove(key, is_whole),
            Record::Forget(request) => return self.forget(&request.series),
            Record::Report { report, .. } => after_report(before, report, rebased, at, &mut self.names),
            Record::Plain { plain, .. } => after_plain(before, plain, rebased, at, &mut self.names),
        };
        if after.is_some() {
            self.set(key, after);
        }
    }

    /// Applies what the changelog has up to `offset`. The next record must be after it.
    pub(crate) fn advance(&mut self, offset: i64) {
        self.restore_before(offset.saturating_add(1));
    }

    /// Whether the log may lack records at or before `offset`, which must be before the next record.
    pub(crate) fn may_lack(&self, offset: i64) -> bool {
        self.history.may_lack(offset)
    }

    pub(crate) fn sum(&self, series: &Series) -> Sum {
        self.names.find(series).map(|id| self.sums.get(id)).unwrap_or_default()
    }

    /// The series that have rows, or had rows that expired.
    pub(crate) fn sums(&self) -> impl Iterator<Item = (&Series, Sum)> {
        self.sums.present().map(|(id, sum)| (self.names.get(id), sum))
    }

    /// What expired rows contribute to a series.
    pub(crate) fn retired(&self, series: &Series) -> Sum {
        self.names.find(series).and_then(|id| self.expiry.retired.get(&id)).copied().unwrap_or_default()
    }

    /// The keys of expired runs and plain keys that have a marker.
    pub(crate) fn expired(&self) -> impl Iterator<Item = &[u8]> {
        self.expiry.markers.all().map(|(key, _)| key)
    }

    /// The row of a key.
    pub(crate) fn row(&self, key: &[u8]) -> Option<&Row> {
        self.entries.get(key)?.row.as_ref()
    }

    /// The rows with their keys.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&[u8], &Row)> {
        self.entries.iter().filter_map(|(key, entry)| Some((&**key, entry.row.as_ref()?)))
    }

    /// Removes the row of a key. A marker of an expired row stays, which the log does not show unless it is whole.
    fn remove(&mut self, key: &[u8], is_whole: bool) {
        self.settle(key, None, false);
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| !is_whole && entry.expires == Expires::Never) {
            entry.expires = Expires::May;
        }
    }

    /// Forgets what was counted for a series: its rows count from their present values on.
    fn forget(&mut self, series: &Series) {
        let Some(forgotten) = self.names.find(series) else { return };
        if let Some(retired) = self.expiry.retired.remove(&forgotten) {
            *self.sums.of(forgotten) -= retired;
        }
        let has_it = |row: &Row| row.counters.iter().any(|(id, _)| *id == forgotten);
        let rows = self.rows().filter(|(_, row)| has_it(row));
        let rows: Vec<(Box<[u8]>, Row)> = rows.map(|(key, row)| (key.into(), row.clone())).collect();
        for (key, mut row) in rows {
            row.forget(forgotten);
            self.set(&key, Some(row));
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
        let old = entry.row.take();
        if let Some(old) = &old {
            self.rows -= 1;
            for (id, sum) in entry.contributions(old) {
                *self.sums.of(id) -= sum;
            }
        }
        if let Some(new) = &row {
            if new.may_expire() || entry.expires == Expires::Has {
                entry.expires = Expires::May;
            }
            self.rows += 1;
            self.most_rows = self.most_rows.max(self.rows);
            for (id, sum) in entry.contributions(new) {
                *self.sums.of(id) += sum;
            }
        }
        let (was, is) = (old.is_some(), row.is_some());
        entry.row = row;
        if is {
            self.joined(key);
        } else if was {
            self.left(key);
        }
    }
}

/// Whether a run or a count began so late, by the time of a record, that its clock must be wrong.
fn in_future(began: Option<Millis>, timestamp: Millis) -> bool {
    began > Some(timestamp.saturating_add(CLOCK_ERROR))
}
