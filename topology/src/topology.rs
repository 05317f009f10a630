use quipu_record::{
    Aggregate, BadRecord, Millis, Offset, PlainRecord, Record, Report, Series, StateRow, StateRowError, StateRowHeader,
    StateRowKind, Total, Value, decode,
};

use crate::accumulator::{Amount, Contribution, RowId, SeriesSum};
use crate::audit::{Audit, Audits};
use crate::change::Change;
use crate::group_by::group_by;
use crate::presence::{Departure, Events, Presence};
use crate::reduce::{GroupId, Reduce, Reduced};
use crate::refresh::Refresh;
use crate::resolve::Resolved;
use crate::row::{Row, RowChange, RowKind, RowMeta};
use crate::rules::{self, Decision, PlainRow};
use crate::series_index::SeriesIndex;
use crate::table::Table;
use crate::values::{ValuesBuf, ValuesRef};

/// How far a record's timestamp may be ahead of the clock; a later one is cut to this.
const MAX_AHEAD: Millis = Millis(5_000);

/// The settings of a topology.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A row without a record for this long no longer counts as a live instance.
    pub instance_timeout: Millis,
    /// Unchanged totals are published again after this long.
    pub refresh_interval: Millis,
    /// Most rows.
    pub max_rows: usize,
    /// Most series.
    pub max_series: usize,
    /// Pairs of series to compare.
    pub audits: Vec<Audit>,
}

/// A record of the source topic.
#[derive(Debug, Clone, Copy)]
pub struct SourceRecord<'a> {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp, if it has one.
    pub timestamp: Option<Millis>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// What a record that is not bad did to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It replaced the row, or it is the first one.
    Applied,
    /// It replaced the row, and its lower count was taken for a restart of a plain counter.
    Restarted,
    /// A tombstone removed its row.
    Removed,
    /// A tombstone for a row that does not exist.
    Absent,
    /// It is older than its row and was ignored.
    Stale,
    /// Its row includes this offset already; it was ignored.
    Replayed,
}

/// The core: table -> group_by -> reduce, and the audits derived from it.
///
/// Pure: records and the time go in, aggregates come out. The totals are a function of the records alone.
#[derive(Debug)]
pub struct Topology {
    settings: Settings,
    series: SeriesIndex,
    table: Table,
    sums: Sums,
    presence: Presence,
    refresh: Refresh,
    audit_refresh: Refresh,
    resolved: Resolved,
    removed: Vec<Series>,
    position: Offset,
    /// When the next row can be silent.
    expire_at: Millis,
    has_published: bool,
}

impl Topology {
    /// Without any rows.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let audits = Audits::new(settings.audits.clone());
        let refresh = Refresh::new(settings.refresh_interval);
        Self {
            settings,
            series: SeriesIndex::default(),
            table: Table::default(),
            sums: Sums { reduce: Reduce::new(), audits, scratch: ValuesBuf::default() },
            presence: Presence::default(),
            audit_refresh: refresh.clone(),
            refresh,
            resolved: Resolved::default(),
            removed: Vec::new(),
            position: Offset::ZERO,
            expire_at: Millis::MAX,
            has_published: false,
        }
    }

    /// The next source offset.
    #[must_use]
    pub fn position(&self) -> Offset {
        self.position
    }

    /// How many rows the table has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.table.len()
    }

    /// The rows from the number `from` on, each with its number, its key and how many values it has.
    pub fn rows_from(&self, from: usize) -> impl Iterator<Item = (usize, &[u8], &RowMeta, usize)> {
        self.table.rows_from(from).map(|(id, key, row)| (id, key, &row.meta, row.values.as_ref().len()))
    }

    /// How many series have a total.
    #[must_use]
    pub fn series(&self) -> usize {
        self.series.len()
    }

    /// How many runs are live: they neither left nor fell silent.
    #[must_use]
    pub fn live_runs(&self) -> usize {
        self.presence.live()
    }

    /// How many runs joined, left and fell silent since the last call. Restored rows are not counted, nor are those that
    /// fell silent before this topology first published.
    pub fn take_events(&mut self) -> Events {
        self.presence.take_events()
    }

    /// Reads the rows of these keys, those of the records that are processed next, so that the processor's cache has
    /// them. It makes no difference but to speed, where the table is larger than the cache. A good number is 100 keys.
    pub fn prefetch<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        self.table.prefetch(keys);
    }

    /// Applies one record. After an error everything is as before, except that the position is beyond the record.
    pub fn process(&mut self, record: &SourceRecord<'_>, now: Millis) -> Result<Outcome, BadRecord> {
        // A replayed record does not move the position back: the rows may reflect later ones.
        self.position = self.position.max(record.offset.next());
        let latest = now.saturating_add(MAX_AHEAD);
        let at = At { offset: record.offset, timestamp: record.timestamp.map_or(now, |time| time.min(latest)) };
        let decoded = decode(record.key, record.value)?;
        // `decode` refused a record without a key.
        let key = record.key.unwrap_or_default();
        match decoded {
            Record::Report { report, .. } => self.report(key, &report, at),
            Record::Plain { plain, .. } => self.plain(key, &plain, at),
            Record::Tombstone { .. } => Ok(self.tombstone(key, at)),
        }
    }

    /// The totals that changed since the last call, and those that are due to be published again, as of the position.
    pub fn take_aggregates(&mut self, now: Millis) -> Vec<Aggregate> {
        self.expire(now);
        if !std::mem::replace(&mut self.has_published, true) {
            // An earlier process may have published these totals, as they are, at any time until now.
            self.sums.reduce.not_before(now);
            self.sums.audits.reduce.not_before(now);
        }
        let offset = self.position.previous();
        let changed = self.sums.reduce.take_changed();
        let due = self.refresh.due(&changed, now);
        let mut aggregates = Vec::with_capacity(changed.len() + due.len());
        for id in due {
            self.sums.reduce.touch(id, now);
            aggregates.extend(self.aggregate(id, offset));
        }
        for id in changed {
            aggregates.extend(self.aggregate(id, offset));
            if self.sums.reduce.get(id).is_some_and(|reduced| reduced.members == 0) {
                // The zero is published once; then nothing is kept of the series.
                self.sums.reduce.remove(id);
                self.sums.audits.forget(id);
                self.removed.extend(self.series.remove(id));
                self.refresh.forget(id);
            }
        }
        self.audits(&mut aggregates, offset, now);
        aggregates
    }

    /// The series that no row has any more. The zero that [`Self::take_aggregates`] returned is their last total.
    pub fn take_removed(&mut self) -> Vec<Series> {
        std::mem::take(&mut self.removed)
    }

    /// Passes every row that changed since the last call, as it goes to the changelog and the store: its key, and its
    /// value, or `None` if it was removed.
    pub fn take_rows(&mut self, mut row: impl FnMut(&[u8], Option<Vec<u8>>)) {
        let Self { table, series, .. } = self;
        table.take_changes(|key, changed| row(key, changed.map(|changed| encode(changed, series))));
    }

    /// Takes over a row as [`Self::take_rows`] passed it, from the store or the changelog. It does not count as changed, and
    /// its run does not count as one that joined or left.
    pub fn load(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateRowError> {
        let Some(value) = value else {
            self.load_row(key, None);
            return Ok(());
        };
        let stored = StateRow::decode(value)?;
        let StateRowHeader { offset, last_seen, live, kind } = stored.header;
        let kind = match kind {
            StateRowKind::Run { seq } => RowKind::Run { seq },
            StateRowKind::Plain { base, timestamp } => RowKind::Plain { base, timestamp },
        };
        self.resolved.fill(&mut self.series, self.settings.max_series, ValuesRef::default(), stored.values())?;
        let limit = self.settings.max_rows;
        if self.table.len() >= limit && self.table.find(key).is_none() {
            self.resolved.undo(&mut self.series);
            return Err(over_capacity(limit).into());
        }
        let meta = RowMeta { kind, live, last_seen, offset };
        let values = self.resolved.values.as_ref().into();
        self.load_row(key, Some(Row { meta, values }));
        self.position = self.position.max(offset.next());
        Ok(())
    }

    fn load_row(&mut self, key: &[u8], row: Option<Row>) {
        let live_since = row.as_ref().filter(|row| row.meta.live).map(|row| row.meta.last_seen);
        if let Some(last_seen) = live_since {
            self.expire_at = self.expire_at.min(silent_at(last_seen, self.settings.instance_timeout));
        }
        let timestamp = row.as_ref().map_or(Millis::MIN, |row| row.meta.last_seen);
        let Self { table, sums, presence, series, .. } = self;
        table.load(key, row, |id, change| {
            presence.loaded(key, change.old.is_some_and(|row| row.live), live_since.is_some());
            sums.forward(id, change, series, timestamp);
        });
    }

    /// Marks all rows as changed, so that [`Self::take_rows`] returns every one.
    pub fn touch_rows(&mut self) {
        self.table.touch_all();
    }

    /// Sets the next source offset, after rows were restored.
    pub fn set_position(&mut self, position: Offset) {
        self.position = position;
    }

    /// Removes all rows, because the log that they came from is gone.
    pub fn clear(&mut self, now: Millis) {
        let keys: Vec<Box<[u8]>> = self.table.keys().map(Into::into).collect();
        for key in keys {
            self.remove(&key, At { offset: Offset::ZERO, timestamp: now });
        }
        self.position = Offset::ZERO;
    }

    fn remove(&mut self, key: &[u8], at: At) -> bool {
        let Self { table, sums, presence, series, .. } = self;
        table.remove(key, |id, change| {
            if change.old.is_some_and(|row| row.live) {
                presence.departed(key, Departure::Left);
            }
            sums.forward(id, change, series, at.timestamp);
        })
    }

    fn audits(&mut self, aggregates: &mut Vec<Aggregate>, offset: Offset, now: Millis) {
        let audits = &mut self.sums.audits;
        let changed = audits.reduce.take_changed();
        let due = self.audit_refresh.due(&changed, now);
        for id in &due {
            audits.reduce.touch(*id, now);
        }
        for id in due.into_iter().chain(changed) {
            aggregates.extend(audits.aggregates(id, offset));
        }
    }

    fn aggregate(&self, id: GroupId, offset: Offset) -> Option<Aggregate> {
        let Reduced { total: reduced, timestamp, .. } = self.sums.reduce.get(id)?;
        let total = match reduced.amount {
            Amount::Counter(count) => Total::Counter(count),
        };
        let instances = u64::try_from(reduced.live).unwrap_or(0);
        Some(Aggregate { series: self.series.get(id)?.clone(), total, timestamp, offset, instances })
    }

    fn report(&mut self, key: &[u8], report: &Report<'_>, at: At) -> Result<Outcome, BadRecord> {
        let before = self.table.find(key);
        let slot = before.map(|(slot, _)| slot);
        if let Some((_, row)) = before {
            if rules::is_replayed(row.meta.offset, at.offset) {
                return Ok(Outcome::Replayed);
            }
            if matches!(row.meta.kind, RowKind::Run { seq } if rules::is_stale(seq, report.seq)) {
                return Ok(Outcome::Stale);
            }
        }
        let values = before.map_or(ValuesRef::default(), |(_, row)| row.values.as_ref());
        self.resolved.fill(&mut self.series, self.settings.max_series, values, report.values())?;
        let meta = RowMeta {
            kind: RowKind::Run { seq: report.seq },
            live: !report.is_final,
            last_seen: at.timestamp,
            offset: at.offset,
        };
        self.put(slot, key, meta, at)?;
        Ok(Outcome::Applied)
    }

    fn plain(&mut self, key: &[u8], plain: &PlainRecord<'_>, at: At) -> Result<Outcome, BadRecord> {
        let before = self.table.find(key);
        let slot = before.map(|(slot, _)| slot);
        if let Some((_, row)) = before
            && rules::is_replayed(row.meta.offset, at.offset)
        {
            return Ok(Outcome::Replayed);
        }
        let earlier = before.map_or(ValuesRef::default(), |(_, row)| row.values.as_ref());
        let decision = match plain.value {
            Value::Counter(count) => {
                let row = before.and_then(|(_, row)| plain_row(row));
                let is_series = |id| self.series.is(id, plain.series());
                rules::plain(row.as_ref(), is_series, count, plain.timestamp, |id| self.series.text(id))?
            }
        };
        let (base, earlier, outcome) = match decision {
            Decision::Apply { base } => (base, earlier, Outcome::Applied),
            // After a restart the count may be lower than that of the row.
            Decision::Restart { base } => (base, ValuesRef::default(), Outcome::Restarted),
            Decision::Stale => return Ok(Outcome::Stale),
        };
        let values = std::iter::once((plain.series(), plain.value));
        self.resolved.fill(&mut self.series, self.settings.max_series, earlier, values)?;
        let kind = RowKind::Plain { base, timestamp: plain.timestamp };
        self.put(slot, key, RowMeta { kind, live: true, last_seen: at.timestamp, offset: at.offset }, at)?;
        Ok(outcome)
    }

    fn tombstone(&mut self, key: &[u8], at: At) -> Outcome {
        match self.table.find(key) {
            None => return Outcome::Absent,
            Some((_, row)) if rules::is_replayed(row.meta.offset, at.offset) => return Outcome::Replayed,
            Some(_) => {}
        }
        self.remove(key, at);
        Outcome::Removed
    }

    /// Makes the resolved values the row of `key`, which has the given slot if it exists.
    fn put(&mut self, slot: Option<usize>, key: &[u8], meta: RowMeta, at: At) -> Result<(), BadRecord> {
        let limit = self.settings.max_rows;
        if meta.live {
            self.expire_at = self.expire_at.min(silent_at(meta.last_seen, self.settings.instance_timeout));
        }
        let Self { table, sums, presence, series, resolved, .. } = self;
        let forward = |id: RowId, change: &RowChange<'_>| {
            match (change.old.is_some_and(|row| row.live), meta.live) {
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
            None => table.insert(key, Row { meta, values: resolved.values.as_ref().into() }, forward),
        }
        Ok(())
    }

    /// Marks rows that fell silent as no longer live; it looks through them only when one can be due.
    fn expire(&mut self, now: Millis) {
        if now < self.expire_at {
            return;
        }
        let timeout = self.settings.instance_timeout;
        let why = if self.has_published { Departure::Silent } else { Departure::BeforeStart };
        let Self { table, sums, presence, series, .. } = self;
        let oldest = table.expire(now.saturating_sub(timeout), |key, id, change| {
            presence.departed(key, why);
            sums.forward(id, change, series, now);
        });
        self.expire_at = oldest.map_or(Millis::MAX, |oldest| silent_at(oldest, timeout));
    }
}

fn over_capacity(limit: usize) -> BadRecord {
    BadRecord::OverCapacity { what: "rows", limit, option: "limits.max_rows" }
}

/// A row as the rules for plain counters need it.
fn plain_row(row: &Row) -> Option<PlainRow<GroupId>> {
    match (row.meta.kind, row.values.as_ref().counters) {
        (RowKind::Plain { base, timestamp }, [(series, count)]) => {
            Some(PlainRow { series: *series, count: *count, base, timestamp })
        }
        _ => None,
    }
}

fn encode(row: &Row, series: &SeriesIndex) -> Vec<u8> {
    let RowMeta { kind, live, last_seen, offset } = row.meta;
    let kind = match kind {
        RowKind::Run { seq } => StateRowKind::Run { seq },
        RowKind::Plain { base, timestamp } => StateRowKind::Plain { base, timestamp },
    };
    // Every series of a row is in the index.
    let values = row.values.as_ref().iter().filter_map(|(id, value)| Some((series.get(id)?.as_ref(), value)));
    StateRow::encode(&StateRowHeader { offset, last_seen, live, kind }, values)
}

/// When a row becomes silent that was last seen at `last_seen`.
fn silent_at(last_seen: Millis, timeout: Millis) -> Millis {
    last_seen.saturating_add(timeout).saturating_add(Millis(1))
}

/// The offset of a record, and its event time.
#[derive(Debug, Clone, Copy)]
struct At {
    offset: Offset,
    timestamp: Millis,
}

/// The operators downstream of the table.
#[derive(Debug)]
struct Sums {
    reduce: Reduce<SeriesSum>,
    audits: Audits,
    scratch: ValuesBuf,
}

impl Sums {
    fn forward(&mut self, row: RowId, change: &RowChange<'_>, series: &SeriesIndex, timestamp: Millis) {
        let Self { reduce, audits, scratch } = self;
        group_by(change, scratch, |id, change: Change<Contribution>| {
            reduce.update(id, row, &change, timestamp);
            if let Some(series) = series.get(id) {
                audits.update(id, series.as_ref(), row, &change, timestamp);
            }
        });
    }
}
