//! What each kind of record does to the table.

use quipu_record::{BadRecord, Key, PlainRecord, Report, RunKey, Series, Value};

use super::{At, Outcome, Topology};
use crate::accumulator::RowId;
use crate::presence::Departure;
use crate::reduce::GroupId;
use crate::retirement::History;
use crate::row::{Baseline, Row, RowChange, RowKind, RowMeta};
use crate::rules::{self, Counted, Decision};
use crate::values::ValuesRef;

impl Topology {
    pub(super) fn report(
        &mut self,
        key: &[u8],
        run: &RunKey<'_>,
        report: &Report<'_>,
        at: At,
    ) -> Result<Outcome, BadRecord> {
        let run_key = &key[..run.run_bytes()];
        let before = self.table.find(key);
        let slot = before.map(|(slot, _)| slot);
        let (history, is_rebased) = match before {
            Some((_, row)) if rules::is_replayed(row.meta.offset, at.offset) => return Ok(Outcome::Replayed),
            Some((_, row)) if matches!(row.meta.kind, RowKind::Run { seq, .. } if rules::is_stale(seq, report.seq)) => {
                return Ok(Outcome::Stale);
            }
            Some((_, row)) => (History::Known, matches!(row.meta.kind, RowKind::Run { is_rebased: true, .. })),
            None => {
                let history = self.history_of_run(run_key, run, report.seq, at);
                (history, history == History::Unknown)
            }
        };
        if history == History::Stale {
            return Ok(Outcome::Stale);
        }
        let values = before.map_or(ValuesRef::default(), |(_, row)| row.values.as_ref());
        self.resolved.fill(&mut self.series, self.settings.max_series, values, report.values())?;
        let kind = RowKind::Run { seq: report.seq, parts: report.parts, is_final: report.is_final, is_rebased };
        self.put(slot, key, self.meta(kind, !report.is_final, at), history, at)?;
        if slot.is_none() {
            self.markers.remove(run_key);
        }
        if slot.is_none() || report.is_final {
            self.join(run_key, key);
        }
        Ok(if history == History::Unknown { Outcome::Rebased } else { Outcome::Applied })
    }

    pub(super) fn plain(&mut self, key: &[u8], plain: &PlainRecord<'_>, at: At) -> Result<Outcome, BadRecord> {
        let before = self.table.find(key);
        let slot = before.map(|(slot, _)| slot);
        if let Some((_, row)) = before
            && rules::is_replayed(row.meta.offset, at.offset)
        {
            return Ok(Outcome::Replayed);
        }
        let PlainRecord { timestamp, start, is_baseline, expires, .. } = *plain;
        let Value::Counter(count) = plain.value;
        let counted = Counted { count, timestamp, start, is_baseline };
        let earlier = before.map_or(ValuesRef::default(), |(_, row)| row.values.as_ref());
        let expired_before = before.is_some_and(|(_, row)| row.meta.kind.expires());
        let text = |id: GroupId| self.series.text(id);
        let (row, earlier, outcome) = match before.and_then(|(_, row)| row.plain()) {
            None if self.history_of_plain(key, plain, at) == History::Unknown => {
                (rules::first(Counted { is_baseline: true, ..counted }), earlier, Outcome::Rebased)
            }
            None => (rules::first(counted), earlier, Outcome::Applied),
            Some((id, _)) if !self.series.is(id, plain.series()) => {
                return Err(BadRecord::SeriesChanged { before: text(id) });
            }
            Some((id, row)) => match rules::plain(&row, counted, || text(id))? {
                Decision::Apply(row) => (row, earlier, Outcome::Applied),
                // After a restart the count may be lower than that of the row.
                Decision::Restart(row) => (row, ValuesRef::default(), Outcome::Restarted),
                Decision::Stale => return Ok(Outcome::Stale),
            },
        };
        let values = std::iter::once((plain.series(), Value::Counter(row.count)));
        self.resolved.fill(&mut self.series, self.settings.max_series, earlier, values)?;
        // A record of an earlier start does not decide whether the key expires.
        let is_latest = row.start == start || start.is_none();
        let expires = if is_latest { expires } else { expired_before };
        self.put(slot, key, self.meta(RowKind::plain(&row, expires), true, at), History::Known, at)?;
        if slot.is_none() {
            self.markers.remove(key);
        }
        match (expired_before, expires) {
            (false, true) => self.join(key, key),
            (true, false) => _ = self.runs.take(key),
            _ => {}
        }
        Ok(outcome)
    }

    pub(super) fn tombstone(&mut self, key: &[u8], of: &Key<'_>, at: At) -> Outcome {
        match self.table.find(key) {
            None => return Outcome::Absent,
            Some((_, row)) if rules::is_replayed(row.meta.offset, at.offset) => return Outcome::Replayed,
            Some(_) => {}
        }
        let Self { table, sums, presence, series, .. } = self;
        let removed = table.remove(key, |id, change| {
            if change.old.is_some_and(|row| row.live) {
                presence.departed(key, Departure::Left);
            }
            sums.forward(id, change, series, at.timestamp);
        });
        if let Some((row, _)) = removed {
            self.leave(run_key(key, of), row);
        }
        Outcome::Removed
    }

    /// Forgets what was counted for a series: every row that has it counts from its present value on.
    pub(super) fn forget_series(&mut self, forgotten: &Series, at: At) -> Outcome {
        let Some(id) = self.series.find(forgotten.as_ref()) else { return Outcome::Absent };
        let has_series = |row: &Row| row.values.as_ref().counters.iter().any(|(series, _)| *series == id);
        // A row that reflects a later record was given its baseline when this request was read before.
        let rows = self.table.rows_from(0).filter(|(_, _, row)| row.meta.offset < at.offset && has_series(row));
        let rows: Vec<usize> = rows.map(|(row, ..)| row).collect();
        let Self { table, sums, series, .. } = self;
        for row in rows {
            table.rebase(row, |row| rebase(row, id), |id, change| sums.forward(id, change, series, at.timestamp));
        }
        sums.set_retired(id, forgotten, None, at.timestamp);
        sums.retired.remove(id, forgotten);
        Outcome::Removed
    }

    /// Everything but the values of a row that reflects the record at `at`.
    fn meta(&self, kind: RowKind, live: bool, at: At) -> RowMeta {
        RowMeta { kind, live, last_seen: at.timestamp, log_time: self.log_time.now(), offset: at.offset }
    }

    /// Makes the resolved values the row of `key`, which has the given slot if it exists.
    fn put(
        &mut self,
        slot: Option<usize>,
        key: &[u8],
        meta: RowMeta,
        history: History,
        at: At,
    ) -> Result<(), BadRecord> {
        let limit = self.settings.max_rows;
        let is_live = meta.live;
        let Self { table, sums, presence, series, resolved, .. } = self;
        let forward = |id: RowId, change: &RowChange<'_>| {
            match (change.old.is_some_and(|row| row.live), is_live) {
                (false, true) => presence.joined(key),
                (true, false) => presence.departed(key, Departure::Left),
                _ => {}
            }
            sums.forward(id, change, series, at.timestamp);
        };
        match slot {
            Some(slot) => table.replace(slot, meta, resolved.values.as_ref(), forward),
            None if table.len() >= limit => {
                resolved.undo(series);
                return Err(over_capacity(limit));
            }
            None => {
                let values = resolved.values.as_ref();
                let baseline = (history == History::Unknown).then(|| Box::new(baseline(values)));
                table.insert(key, Row { meta, values: values.into(), baseline }, forward);
            }
        }
        Ok(())
    }
}

/// The values of a record as the baseline of its row.
fn baseline(values: ValuesRef<'_>) -> Baseline {
    let ValuesRef { counters } = values;
    let mut baseline: Baseline = counters.iter().copied().filter(|(_, count)| *count > 0).collect();
    baseline.sort_unstable_by_key(|(id, _)| *id);
    baseline
}

/// Lets a row count a series from its present value on.
fn rebase(row: &mut Row, id: GroupId) {
    let counters = row.values.as_ref().counters;
    let Some((_, count)) = counters.iter().find(|(series, _)| *series == id).copied() else { return };
    if let RowKind::Plain { base, .. } = &mut row.meta.kind {
        *base = 0;
    }
    let baseline = row.baseline.get_or_insert_default();
    match baseline.binary_search_by_key(&id, |(id, _)| *id) {
        Ok(at) => baseline[at].1 = count,
        Err(at) => baseline.insert(at, (id, count)),
    }
}

pub(super) fn over_capacity(limit: usize) -> BadRecord {
    BadRecord::OverCapacity { what: "rows", limit, option: "limits.max_rows" }
}

/// The part of a row's key that names its run, or the whole key of a plain record.
pub(super) fn run_key<'k>(key: &'k [u8], of: &Key<'_>) -> &'k [u8] {
    match of {
        Key::Run(run) => &key[..run.run_bytes()],
        Key::Plain(_) | Key::Forget(_) => key,
    }
}
