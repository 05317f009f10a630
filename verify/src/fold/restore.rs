//! Takes from the changelog what the log does not have, and compares the two where the log has it.

use std::collections::HashMap;

use quipu_record::{Key, Millis, StateRowKind};

use super::markers::Markers;
use super::{Entry, Expires, Fold, Sum};
use crate::names::SeriesId;
use crate::row::Row;
use crate::snapshot::Expired;

/// What the comparison of the changelog with the log found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// How many rows of the changelog agree with the log, as far as the log has their records.
    pub(crate) rows_agree: usize,
    pub(crate) rows_differ: Vec<RowDifference>,
    /// How many retired sums agree with the log.
    pub(crate) retired_agree: usize,
    /// The series whose counts were neither kept nor retired as the log shows: what the expired rows contribute by the
    /// log, and by the changelog.
    pub(crate) retired_differ: Vec<(SeriesId, i128, i128)>,
    /// Whether rows expired at other times than the log gives with the present settings.
    pub(crate) expired_otherwise: bool,
}

/// A row of the changelog that differs from the log's row.
#[derive(Debug)]
pub(crate) struct RowDifference {
    pub(crate) key: Box<[u8]>,
    pub(crate) by_log: Option<Row>,
    pub(crate) by_changelog: Option<Row>,
}

/// A row of the changelog, and what is known about it.
#[derive(Debug)]
pub(super) struct Stored {
    row: Row,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Agrees,
    Differs,
    /// Only what does not count of the row differs. A later request to forget a series may explain that.
    Undecided,
}

impl Findings {
    fn differ(&mut self, key: &[u8], by_log: Option<Row>, by_changelog: Option<Row>) {
        self.rows_differ.push(RowDifference { key: key.into(), by_log, by_changelog });
    }
}

impl Fold {
    /// The rows of the changelog whose offset is beyond the end of the log.
    pub(crate) fn stored_beyond(&self) -> impl Iterator<Item = (&[u8], &Row)> {
        self.stored.iter().map(|(key, row)| (&**key, row))
    }

    /// Applies what the changelog has before an offset: each row at its own offset, everything else after the last one.
    pub(super) fn restore_before(&mut self, before: i64) {
        while self.stored.front().is_some_and(|(_, row)| row.offset < before) {
            let Some((key, stored)) = self.stored.pop_front() else { return };
            self.restore_row(&key, stored);
        }
        if let Some((newest, expired)) = self.restorable.take_if(|(newest, _)| *newest < before) {
            self.restore_expired(newest, expired);
            self.restored = true;
        }
    }

    fn restore_row(&mut self, key: &[u8], stored: Row) {
        let is_whole = !self.history.may_lack(stored.offset);
        let expires = self.expiry.retention.is_on()
            || self.restorable.as_ref().is_some_and(|(_, expired)| expired.clock.is_some());
        let entry = self.entries.entry(key.into()).or_insert(Entry { certain: is_whole, ..Entry::default() });
        // Without log time it is not known whether the row expired in the meantime.
        entry.certain &= is_whole || !expires || entry.expires == Expires::Never;
        let verdict = match &entry.row {
            Some(row) if row.equals(&stored) => {
                entry.certain = true;
                self.findings.rows_agree += 1;
                Verdict::Agrees
            }
            Some(row) if entry.certain && row.offset == stored.offset && !row.contradicts(&stored) => {
                Verdict::Undecided
            }
            row if entry.certain || row.as_ref().is_some_and(|row| row.contradicts(&stored)) => {
                self.findings.differ(key, row.clone(), Some(stored.clone()));
                Verdict::Differs
            }
            _ => {
                self.findings.rows_agree += 1;
                self.settle(key, Some(stored.clone()), true);
                Verdict::Agrees
            }
        };
        if let Some(entry) = self.entries.get_mut(key) {
            entry.stored = Some(Stored { row: stored, verdict });
        }
    }

    /// Compares the rows and what is kept of expired ones with the changelog, after the record at `newest`. What the log
    /// can't give is taken from the changelog from here on.
    fn restore_expired(&mut self, newest: i64, expired: Expired) {
        let is_whole = !self.may_lack(newest);
        self.judge_rows(is_whole, expired.clock.is_some());
        if is_whole {
            if self.agrees(&expired) {
                // Only differences of log time matter, so the fold's own log time serves as well.
                self.findings.retired_agree = self.expiry.retired.len();
                for entry in self.entries.values_mut() {
                    entry.stored = None;
                }
                return;
            }
            // A changelog of the former format has no log time, and nothing expired.
            self.findings.expired_otherwise = expired.clock.is_some() || self.expiry.markers.len() > 0;
            self.compare_retired(&expired);
        }
        self.adopt(is_whole, expired);
    }

    /// Compares the rows again, each with all records up to the position.
    fn judge_rows(&mut self, is_whole: bool, is_exact: bool) {
        let mut unexplained = Vec::new();
        for (key, Entry { row, stored, expires, .. }) in &mut self.entries {
            let (Some(row), Some(Stored { row: stored, verdict })) = (row, stored) else { continue };
            let agrees = row.equals(stored);
            match verdict {
                Verdict::Undecided if agrees => {
                    self.findings.rows_agree += 1;
                    *verdict = Verdict::Agrees;
                }
                Verdict::Undecided if is_whole || *expires == Expires::Never => {
                    self.findings.differ(key, Some(row.clone()), Some(stored.clone()));
                    *verdict = Verdict::Differs;
                }
                Verdict::Undecided => unexplained.push((key.clone(), stored.clone())),
                // The log has a later record, which the changelog has not.
                Verdict::Agrees if is_whole && is_exact && !agrees => {
                    self.findings.rows_agree -= 1;
                    self.findings.differ(key, Some(row.clone()), Some(stored.clone()));
                    *verdict = Verdict::Differs;
                }
                Verdict::Agrees | Verdict::Differs => {}
            }
        }
        for (key, stored) in unexplained {
            self.findings.rows_agree += 1;
            self.settle(&key, Some(stored), true);
        }
    }

    /// Whether the same rows expired at the same times.
    fn agrees(&self, expired: &Expired) -> bool {
        let (clock, state) = (self.expiry.clock, expired.clock.unwrap_or_default());
        let shift = state.log_time.saturating_sub(clock.log_time);
        let is_shifted = |log_time: Millis, stored: Millis| stored.saturating_sub(log_time) == shift;
        let markers = &self.expiry.markers;
        let retired = &self.expiry.retired;
        (clock.appended_at, clock.horizon) == (state.appended_at, state.horizon)
            && markers.len() == expired.markers.len()
            && markers.all().all(|(key, marker)| {
                expired.markers.get(key).is_some_and(|stored| {
                    (marker.began, marker.seq) == (stored.began, stored.seq)
                        && is_shifted(marker.log_time, stored.log_time)
                })
            })
            && retired.len() == expired.retired.len()
            && retired.iter().all(|(id, sum)| expired.retired.get(id) == Some(&(sum.count, sum.rows)))
            && self.entries.values().all(|entry| match (&entry.row, &entry.stored) {
                (None, None) => true,
                (Some(row), Some(stored)) => is_shifted(row.log_time, stored.row.log_time),
                _ => false,
            })
    }

    /// Compares what was retired. Rows that only one of the two retired, because the settings were others, count as
    /// retired in both.
    fn compare_retired(&mut self, expired: &Expired) {
        let mut by_log = self.expiry.retired.clone();
        let mut by_changelog: HashMap<SeriesId, i128> =
            expired.retired.iter().map(|(id, (sum, _))| (*id, *sum)).collect();
        for Entry { row, stored, expires, .. } in self.entries.values() {
            match (row, stored) {
                (Some(row), None) if expired.clock.is_some() => {
                    for (id, count) in row.contributions() {
                        by_log.entry(id).or_default().count += count;
                    }
                }
                (None, Some(Stored { row, verdict }))
                    if *verdict != Verdict::Differs && (*expires == Expires::Has || expired.clock.is_some()) =>
                {
                    for (id, count) in row.contributions() {
                        *by_changelog.entry(id).or_default() += count;
                    }
                }
                _ => {}
            }
        }
        let mut ids: Vec<SeriesId> = by_log.keys().chain(by_changelog.keys()).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let log = by_log.get(&id).copied().unwrap_or_default().count;
            let changelog = by_changelog.get(&id).copied().unwrap_or_default();
            if log == changelog {
                self.findings.retired_agree += usize::from(expired.retired.contains_key(&id));
            } else {
                self.findings.retired_differ.push((id, log, changelog));
            }
        }
    }

    /// Takes over what is kept of expired rows, and which rows expired.
    fn adopt(&mut self, is_whole: bool, expired: Expired) {
        let Expired { clock, markers, retired } = expired;
        for (id, sum) in std::mem::take(&mut self.expiry.retired) {
            *self.sums.of(id) -= sum;
        }
        for (id, (count, rows)) in retired {
            let sum = Sum { count, rows, retired_from_changelog: rows, ..Sum::default() };
            *self.sums.of(id) += sum;
            self.expiry.retired.insert(id, sum);
        }
        self.expiry.clock = clock.unwrap_or_default();
        self.expiry.markers = Markers::default();
        for (key, marker) in markers {
            self.expiry.markers.insert(&key, marker, self.expiry.retention.markers());
        }
        let keys: Vec<_> = self.entries.keys().cloned().collect();
        for key in keys {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            match (&mut entry.row, entry.stored.take()) {
                (Some(row), Some(stored)) => row.log_time = stored.row.log_time,
                // Without log time no row has expired, but a row may be newer than the position.
                (Some(row), None) if clock.is_none() => row.log_time = Millis::default(),
                (Some(row), None) => {
                    let row = row.clone();
                    if !is_whole && !self.may_have_expired(&key, &row) {
                        self.findings.differ(&key, Some(row), None);
                    }
                    self.set(&key, None);
                }
                (None, Some(Stored { row, verdict })) if verdict != Verdict::Differs => {
                    if entry.expires == Expires::Has {
                        self.settle(&key, Some(row), true);
                    } else if !is_whole && clock.is_some() {
                        self.findings.differ(&key, None, Some(row));
                    }
                }
                (None, _) => {}
            }
        }
        self.enqueue_all();
    }

    /// Whether a row that only the log has may have expired, or may never have been one.
    fn may_have_expired(&self, key: &[u8], row: &Row) -> bool {
        let horizon = self.expiry.clock.horizon;
        let is_beyond_horizon = match (Key::decode(Some(key)), row.kind) {
            (Ok(Key::Run(run)), StateRowKind::Run { parts: 1, .. }) => {
                run.began().is_none_or(|began| Some(began) <= horizon)
            }
            // A late report of one part is ignored while there is a marker, which goes when another part reports.
            (_, StateRowKind::Run { .. }) => return true,
            // The log's record may be an earlier one, which did not decide when the key expired.
            (_, StateRowKind::Plain { .. }) => horizon.is_some(),
        };
        is_beyond_horizon || self.expiry.markers.get(key).is_some()
    }
}
