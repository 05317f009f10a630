use std::collections::HashMap;
use std::iter;
use std::sync::Arc;

use quipu_record::Millis;

use super::{Deadlines, Retention};
use crate::row::{RowKind, RowMeta};

/// The rows of each run, and when the run expires. A plain key that may expire is like a run of one row.
///
/// A record that only moves its run's deadline further away does nothing here: the deadline in the queue is checked
/// when it is due.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    by_key: HashMap<Arc<[u8]>, Run>,
    due: Deadlines<Arc<[u8]>>,
    key_bytes: usize,
}

/// The rows of a run, by their numbers in the table.
#[derive(Debug)]
struct Run {
    first: usize,
    /// The further parts.
    more: Vec<usize>,
    /// Its deadline in the queue.
    due: Millis,
}

impl Run {
    fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        iter::once(self.first).chain(self.more.iter().copied())
    }
}

impl Runs {
    /// The memory that the runs take beside their rows, as an estimate, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let queued = size_of::<(Millis, Arc<[u8]>)>();
        self.key_bytes + self.by_key.capacity() * size_of::<(Arc<[u8]>, Run)>() + self.by_key.len() * queued
    }

    /// The rows of a run.
    pub(crate) fn rows(&self, key: &[u8]) -> impl Iterator<Item = usize> + '_ {
        self.by_key.get(key).into_iter().flat_map(Run::rows)
    }

    /// Adds a row to its run. [`Self::schedule`] must follow.
    pub(crate) fn add(&mut self, key: &[u8], row: usize) {
        match self.by_key.get_mut(key) {
            Some(run) if run.rows().any(|other| other == row) => {}
            Some(run) => run.more.push(row),
            None => {
                self.key_bytes += key.len();
                self.by_key.insert(key.into(), Run { first: row, more: Vec::new(), due: Millis::MAX });
            }
        }
    }

    /// Removes a row that is gone from its run. [`Self::schedule`] must follow.
    pub(crate) fn remove(&mut self, key: &[u8], row: usize) {
        let Some(run) = self.by_key.get_mut(key) else { return };
        let Some(last) = run.more.pop() else {
            if run.first == row {
                self.take(key);
            }
            return;
        };
        for other in iter::once(&mut run.first).chain(&mut run.more) {
            if *other == row {
                *other = last;
                return;
            }
        }
        if last != row {
            run.more.push(last);
        }
    }

    /// Removes a run.
    pub(crate) fn take(&mut self, key: &[u8]) -> Option<Arc<[u8]>> {
        let (key, Run { due, .. }) = self.by_key.remove_entry(key)?;
        self.key_bytes -= key.len();
        self.due.remove(due, Arc::clone(&key));
        Some(key)
    }

    /// Computes anew when the run expires. It must be called when that may be earlier than before.
    pub(crate) fn schedule<'t>(
        &mut self,
        key: &[u8],
        retention: &Retention,
        row: impl Fn(usize) -> Option<&'t RowMeta>,
    ) {
        let Some((key, _)) = self.by_key.get_key_value(key) else { return };
        let key = Arc::clone(key);
        if let Some(run) = self.by_key.get_mut(&key) {
            let due = expires_at(run.rows().filter_map(row), retention);
            if due != run.due {
                self.due.remove(std::mem::replace(&mut run.due, due), Arc::clone(&key));
                self.due.add(due, key);
            }
        }
    }

    /// Takes the key of a run that has expired at this log time. The run and its rows are still there.
    pub(crate) fn pop_expired<'t>(
        &mut self,
        now: Millis,
        retention: &Retention,
        row: impl Fn(usize) -> Option<&'t RowMeta>,
    ) -> Option<Arc<[u8]>> {
        while let Some(key) = self.due.pop_due(now) {
            let run = self.by_key.get_mut(&key)?;
            run.due = expires_at(run.rows().filter_map(&row), retention);
            if run.due <= now {
                return Some(key);
            }
            self.due.add(run.due, key);
        }
        None
    }

    /// Removes all runs.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The log time at which a run with these rows expires. It has finished if all its parts are there, and final.
fn expires_at<'t>(rows: impl Iterator<Item = &'t RowMeta>, retention: &Retention) -> Millis {
    let (mut last, mut finished_parts, mut parts, mut is_going_on) = (None, 0, 0, false);
    for row in rows {
        last = last.max(Some(row.log_time));
        match row.kind {
            RowKind::Run { parts: expected, is_final: true, .. } => {
                finished_parts += 1;
                parts = parts.max(expected);
            }
            RowKind::Run { is_final: false, .. } | RowKind::Plain { .. } => is_going_on = true,
        }
    }
    let Some(last) = last else { return Millis::MAX };
    let at = |after: Option<Millis>| after.map_or(Millis::MAX, |after| last.saturating_add(after));
    // The number of parts is 0 if it is unknown.
    let has_finished = !is_going_on && parts > 0 && finished_parts >= parts;
    if has_finished { at(retention.finished).min(at(retention.runs)) } else { at(retention.runs) }
}

#[cfg(test)]
mod tests {
    use quipu_record::Offset;

    use super::*;

    const RETENTION: Retention = Retention { runs: Some(Millis(1000)), finished: Some(Millis(10)) };

    fn row(log_time: i64, parts: u32, is_final: bool) -> RowMeta {
        let kind = RowKind::Run { seq: 1, parts, is_final, is_rebased: false };
        RowMeta { kind, live: !is_final, last_seen: Millis(0), log_time: Millis(log_time), offset: Offset(0) }
    }

    fn at(rows: &[RowMeta]) -> Millis {
        expires_at(rows.iter(), &RETENTION)
    }

    #[test]
    fn a_run_expires_after_its_newest_record() {
        assert_eq!(at(&[row(5, 2, false), row(7, 2, false)]), Millis(1007));
    }

    #[test]
    fn a_run_is_finished_when_all_its_parts_are_final() {
        assert_eq!(at(&[row(5, 1, true)]), Millis(15));
        assert_eq!(at(&[row(5, 2, true)]), Millis(1005));
        assert_eq!(at(&[row(5, 1, true), row(7, 2, true)]), Millis(17));
        assert_eq!(at(&[row(5, 2, true), row(7, 2, false)]), Millis(1007));
    }

    #[test]
    fn a_run_with_an_unknown_number_of_parts_is_never_finished() {
        assert_eq!(at(&[row(5, 0, true)]), Millis(1005));
    }

    #[test]
    fn a_row_that_is_removed_leaves_its_run() {
        let mut runs = Runs::default();
        for row in [3, 4, 5] {
            runs.add(b"run", row);
        }
        runs.remove(b"run", 3);
        assert_eq!(runs.rows(b"run").collect::<Vec<_>>(), [5, 4]);
        runs.remove(b"run", 4);
        runs.remove(b"run", 5);
        assert_eq!(runs.rows(b"run").count(), 0);
    }
}
