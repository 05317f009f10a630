//! The core as one pure machine: records go in, aggregates and changed rows come out.

mod apply;
mod explain;
mod retire;
mod state;

use quipu_record::{Aggregate, BadRecord, Millis, Offset, Record, Series, StateRetired, Total, decode};

use crate::accumulator::{Amount, Contribution, RowId, SeriesSum};
use crate::audit::{Audit, Audits};
use crate::change::Change;
use crate::explain::Scan;
use crate::group_by::group_by;
use crate::presence::{Departure, Events, Presence};
use crate::reduce::{GroupId, Reduce, Reduced};
use crate::refresh::Refresh;
use crate::resolve::Resolved;
use crate::retirement::{LogTime, Markers, Retention, Retired, Runs};
use crate::row::{RowChange, RowMeta};
use crate::series_index::SeriesIndex;
use crate::table::Table;
use crate::values::ValuesBuf;

/// How far a record's timestamp may be ahead of the clock; a later one is cut to this.
const MAX_AHEAD: Millis = Millis(5_000);

/// The settings of a topology.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A row without a record for this long no longer counts as a live instance.
    pub instance_timeout: Millis,
    /// Unchanged totals are published again after this long.
    pub refresh_interval: Millis,
    /// After how much log time rows are retired.
    pub retention: Retention,
    /// Most rows, and most markers of expired runs.
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
    /// Whether the timestamp is the broker's (`LogAppendTime`): only such records move the log time.
    pub is_append_time: bool,
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
    /// It is the first one of its row, and what was counted before is unknown: the row counts from this record on.
    Rebased,
    /// A tombstone removed its row, or a request to forget a series was met.
    Removed,
    /// A tombstone for a row that does not exist, or a request to forget a series that does not exist.
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
    runs: Runs,
    markers: Markers,
    log_time: LogTime,
    resolved: Resolved,
    removed: Vec<Series>,
    position: Offset,
    has_published: bool,
}

impl Topology {
    /// Without any rows.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let audits = Audits::new(settings.audits.clone());
        let refresh = Refresh::new(settings.refresh_interval);
        let instance_timeout = settings.instance_timeout;
        Self {
            settings,
            series: SeriesIndex::default(),
            table: Table::new(instance_timeout),
            sums: Sums {
                reduce: Reduce::new(),
                audits,
                retired: Retired::default(),
                baselines: Vec::new(),
                unreferenced: Vec::new(),
                scan: None,
                scratch: ValuesBuf::default(),
            },
            presence: Presence::default(),
            audit_refresh: refresh.clone(),
            refresh,
            runs: Runs::default(),
            markers: Markers::default(),
            log_time: LogTime::default(),
            resolved: Resolved::default(),
            removed: Vec::new(),
            position: Offset::ZERO,
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

    /// How many markers of expired runs and plain keys there are.
    #[must_use]
    pub fn markers(&self) -> usize {
        self.markers.len()
    }

    /// The memory that the rows take, as an estimate, in bytes.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        self.table.bytes() + self.runs.bytes()
    }

    /// How many runs joined, left, fell silent and expired since the last call. Restored rows are not counted, nor are those that
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
        if record.offset >= self.position && self.settings.retention.is_on() {
            self.advance(record);
        }
        // A replayed record does not move the position back: the rows may reflect later ones.
        self.position = self.position.max(record.offset.next());
        let latest = now.saturating_add(MAX_AHEAD);
        let at = At {
            offset: record.offset,
            timestamp: record.timestamp.map_or(now, |time| time.min(latest)),
            recorded: record.timestamp,
        };
        let decoded = decode(record.key, record.value)?;
        // `decode` refused a record without a key.
        let key = record.key.unwrap_or_default();
        match decoded {
            Record::Report { key: run, report } => self.report(key, &run, &report, at),
            Record::Plain { plain, .. } => self.plain(key, &plain, at),
            Record::Forget(request) => Ok(self.forget_series(&request.series, at)),
            Record::Tombstone { key: of } => Ok(self.tombstone(key, &of, at)),
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
                self.refresh.forget(id);
                self.removed.extend(self.series.get(id).cloned());
                self.forget_number(id);
            }
        }
        for id in std::mem::take(&mut self.sums.unreferenced) {
            self.forget_number(id);
        }
        self.audits(&mut aggregates, offset, now);
        aggregates
    }

    /// The series that no row has any more. The zero that [`Self::take_aggregates`] returned is their last total.
    pub fn take_removed(&mut self) -> Vec<Series> {
        std::mem::take(&mut self.removed)
    }

    /// Sets the next source offset, after rows were restored.
    pub fn set_position(&mut self, position: Offset) {
        self.position = position;
    }

    /// Lets the number of a series be given to another, unless a row has the series.
    fn forget_number(&mut self, id: GroupId) {
        if self.sums.reduce.get(id).is_none() && !self.sums.has_baseline(id) {
            self.sums.audits.forget(id);
            self.series.remove(id);
        }
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

    /// Marks rows that fell silent as no longer live.
    fn expire(&mut self, now: Millis) {
        let why = if self.has_published { Departure::Silent } else { Departure::BeforeStart };
        let Self { table, sums, presence, series, .. } = self;
        table.expire(now, |key, id, change| {
            presence.departed(key, why);
            sums.forward(id, change, series, now);
        });
    }
}

/// The offset of a record, and its times.
#[derive(Debug, Clone, Copy)]
struct At {
    offset: Offset,
    /// Its event time.
    timestamp: Millis,
    /// Its timestamp as it is in the log.
    recorded: Option<Millis>,
}

/// The operators downstream of the table.
#[derive(Debug)]
struct Sums {
    reduce: Reduce<SeriesSum>,
    audits: Audits,
    retired: Retired,
    /// How many baselines have an entry for each series.
    baselines: Vec<u32>,
    /// Series that no baseline has any more.
    unreferenced: Vec<GroupId>,
    /// The scan for the parts of a total, if one is under way.
    scan: Option<Scan>,
    scratch: ValuesBuf,
}

impl Sums {
    fn forward(&mut self, row: RowId, change: &RowChange<'_>, series: &SeriesIndex, timestamp: Millis) {
        self.count_baselines(change);
        let Self { reduce, audits, scan, scratch, .. } = self;
        group_by(change, scratch, |id, change: Change<Contribution>| {
            if let Some(scan) = scan {
                scan.update(id, row, change.new.as_ref());
            }
            reduce.update(id, row, &change, timestamp);
            if let Some(series) = series.get(id) {
                audits.update(id, series.as_ref(), row, &change, timestamp);
            }
        });
    }

    /// Moves what a row contributes to the retired sums.
    fn retire(&mut self, row: RowId, change: &RowChange<'_>, series: &SeriesIndex) {
        self.count_baselines(change);
        let Self { reduce, audits, retired, scan, scratch, .. } = self;
        group_by(change, scratch, |id, change: Change<Contribution>| {
            if let Some(scan) = scan {
                scan.update(id, row, change.new.as_ref());
            }
            let Some(part) = change.old else { return };
            let old = retired.contribution(id);
            retired.add(id, &part);
            let (from, to) = ((row, &part), (RowId::RETIRED, &Change { old, new: retired.contribution(id) }));
            reduce.transfer(id, from, to);
            if let Some(series) = series.get(id) {
                audits.transfer(id, series.as_ref(), from, to);
            }
        });
    }

    /// Keeps count of the baselines of each series: a row may have a series to which it contributes nothing.
    fn count_baselines(&mut self, change: &RowChange<'_>) {
        let (old, new) =
            (change.old.map_or(&[][..], |row| row.baseline), change.new.map_or(&[][..], |row| row.baseline));
        if old == new {
            return;
        }
        for (id, _) in new {
            if id.index() >= self.baselines.len() {
                self.baselines.resize(id.index() + 1, 0);
            }
            self.baselines[id.index()] += 1;
        }
        for (id, _) in old {
            let count = &mut self.baselines[id.index()];
            *count -= 1;
            if *count == 0 {
                self.unreferenced.push(*id);
            }
        }
    }

    fn has_baseline(&self, id: GroupId) -> bool {
        self.baselines.get(id.index()).is_some_and(|count| *count > 0)
    }

    /// Gives a series another retired sum, or none.
    fn set_retired(&mut self, id: GroupId, series: &Series, sum: Option<StateRetired>, timestamp: Millis) {
        let Self { reduce, audits, retired, .. } = self;
        let old = retired.contribution(id);
        retired.load(id, sum);
        let change = Change { old, new: retired.contribution(id) };
        if change.old.is_some() || change.new.is_some() {
            reduce.update(id, RowId::RETIRED, &change, timestamp);
            audits.update(id, series.as_ref(), RowId::RETIRED, &change, timestamp);
        }
    }
}
