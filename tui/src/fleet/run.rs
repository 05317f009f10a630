use std::collections::{BTreeMap, HashMap};

use quipu_record::{BadRecord, PlainRecord, Report, Value};
use quipu_topology::rules::{self, Counted, Decision, PlainRow};
use serde::Serialize;
use uuid::Uuid;

use super::series::SeriesId;
use super::series_table::SeriesTable;

/// The longest report interval that is used, for sums with times.
const LONGEST_INTERVAL_MS: i64 = 86_400_000;

/// The id of a run within one [`Fleet`](super::Fleet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub(super) u32);

/// A run of an instance, or the row of a plain key.
#[derive(Debug, Clone)]
pub struct Run {
    id: RunId,
    instance: String,
    uuid: Option<Uuid>,
    started: i64,
    pub(super) last_report: i64,
    interval: i64,
    is_final: bool,
    pub(super) state: Option<RunState>,
    pub(super) changed: Option<i64>,
    parts: BTreeMap<u32, Part>,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// The run reports.
    Live,
    /// The run has not reported for the aggregator's `instance_timeout` and sent no final report.
    Silent,
    /// A plain key without a record for as long. A plain key has no heartbeat, so the program may still run.
    Idle,
    /// A newer run of the same instance has started, and this run sent no final report.
    Restarted,
    /// The run sent its final report.
    Left,
}

#[derive(Debug, Clone, Default)]
struct Part {
    seq: u64,
    /// What the rules need of a plain key.
    plain: Option<PlainRow>,
    counters: Vec<(SeriesId, u64)>,
}

impl Part {
    /// What a count of this part contributes. What a baseline takes away is at most what was counted.
    fn counted(&self, count: u64) -> u128 {
        let base = self.plain.map_or(0, |row| row.base);
        u128::try_from(base + i128::from(count)).unwrap_or(0)
    }
}

impl Run {
    pub(super) fn new(id: RunId, instance: &str, run: Option<Uuid>, first_seen: i64) -> Self {
        let birth = run.and_then(|run| run.get_timestamp()).and_then(|time| {
            let (seconds, nanos) = time.to_unix();
            i64::try_from(seconds.checked_mul(1_000)? + u64::from(nanos / 1_000_000)).ok()
        });
        Self {
            id,
            instance: instance.to_owned(),
            uuid: run,
            started: birth.filter(|birth| *birth <= first_seen).unwrap_or(first_seen),
            last_report: first_seen,
            interval: 0,
            is_final: false,
            state: None,
            changed: None,
            parts: BTreeMap::new(),
        }
    }

    /// Returns the id of the run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Returns the name of the instance, or the plain key. It is not escaped and may hold control characters.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Returns the UUID of the run; `None` for a plain key.
    #[must_use]
    pub fn run(&self) -> Option<Uuid> {
        self.uuid
    }

    /// Returns when the run started, in ms: the time in its UUIDv7, or the time of its first record.
    #[must_use]
    pub fn started(&self) -> i64 {
        self.started
    }

    /// Returns the time of the last report in ms, by the brokers' clock.
    #[must_use]
    pub fn last_report(&self) -> i64 {
        self.last_report
    }

    /// Returns how often the run reports while its counters change, in ms; 0 for a plain key.
    #[must_use]
    pub fn interval(&self) -> i64 {
        self.interval
    }

    /// Returns the state of the run at the last [`tick`](super::Fleet::tick).
    #[must_use]
    pub fn state(&self) -> RunState {
        self.state.unwrap_or(RunState::Live)
    }

    /// Returns when the state last changed, in ms.
    #[must_use]
    pub fn changed(&self) -> Option<i64> {
        self.changed
    }

    /// Returns the run's count of a series.
    #[must_use]
    pub fn count(&self, series: SeriesId) -> Option<u128> {
        self.parts.values().find_map(|part| {
            let (_, count) = part.counters.iter().find(|(id, _)| *id == series)?;
            Some(part.counted(*count))
        })
    }

    /// Returns all counts of the run.
    pub fn counts(&self) -> impl Iterator<Item = (SeriesId, u128)> {
        self.parts.values().flat_map(|part| part.counters.iter().map(|(series, count)| (*series, part.counted(*count))))
    }

    /// Returns when the run becomes silent without another report. It is the aggregator's rule for its live runs.
    pub(super) fn silent_at(&self, timeout: i64) -> i64 {
        self.last_report.saturating_add(timeout)
    }

    pub(super) fn state_at(
        &self,
        fleet_time: i64,
        timeout: i64,
        reconnected: Option<i64>,
        newest_start: i64,
    ) -> RunState {
        let was_silent = matches!(self.state, Some(RunState::Silent | RunState::Idle));
        let is_in_time = reconnected.is_some_and(|at| fleet_time <= at.saturating_add(timeout));
        if self.is_final {
            RunState::Left
        } else if newest_start > self.started && self.last_report < newest_start + self.interval {
            RunState::Restarted
        } else if fleet_time > self.silent_at(timeout) && (was_silent || !is_in_time) {
            if self.uuid.is_some() { RunState::Silent } else { RunState::Idle }
        } else {
            RunState::Live
        }
    }

    /// Applies a report and returns which counts changed; a stale report changes nothing.
    pub(super) fn report(
        &mut self,
        part: u32,
        report: &Report<'_>,
        at: i64,
        series: &mut SeriesTable,
    ) -> Result<Changes, BadRecord> {
        let previous = self.parts.get(&part);
        let mut changes = Changes::default();
        if previous.is_some_and(|previous| rules::is_stale(previous.seq, report.seq)) {
            return Ok(changes);
        }
        let old = previous.map_or(&[][..], |previous| &previous.counters);
        let mut counters = Vec::with_capacity(report.len());
        for (index, (counter, Value::Counter(count))) in report.values().enumerate() {
            // A run usually reports its series in the same order each time.
            let id = match old.get(index) {
                Some((id, _)) if series.get(*id).series().as_ref() == counter => Some(*id),
                _ => series.intern(counter),
            };
            match id {
                Some(id) => counters.push((id, count)),
                None => changes.cut_off += 1,
            }
        }
        rules::counters_follow(old, &counters, &mut Vec::new(), |id| series.get(id).text().to_owned())?;
        changes.counts = differences(old, &counters);
        self.parts.insert(part, Part { seq: report.seq, counters, ..Part::default() });
        self.interval = i64::try_from(report.interval_ms).unwrap_or(i64::MAX).min(LONGEST_INTERVAL_MS);
        self.is_final = report.is_final;
        self.last_report = self.last_report.max(at);
        Ok(changes)
    }

    /// Applies a plain record and returns which count changed; a stale record changes nothing.
    pub(super) fn plain(
        &mut self,
        plain: &PlainRecord<'_>,
        at: i64,
        series: &mut SeriesTable,
    ) -> Result<Changes, BadRecord> {
        let Some(id) = series.intern(plain.series()) else {
            return Ok(Changes { cut_off: 1, ..Changes::default() });
        };
        let Value::Counter(counted) = plain.value;
        let PlainRecord { timestamp, start, is_baseline, .. } = *plain;
        let record = Counted { count: counted, timestamp, start, is_baseline };
        let text = |id: SeriesId| series.get(id).text().to_owned();
        let before = self.parts.get(&0).and_then(|part| Some((part.counters.first()?.0, part.plain?)));
        let row = match before {
            None => rules::first(record),
            Some((other, _)) if other != id => return Err(BadRecord::SeriesChanged { before: text(other) }),
            Some((_, row)) => match rules::plain(&row, record, || text(id))? {
                Decision::Apply(row) | Decision::Restart(row) => row,
                Decision::Stale => return Ok(Changes::default()),
            },
        };
        let part = Part { seq: 0, plain: Some(row), counters: vec![(id, row.count)] };
        let after = part.counted(row.count);
        self.parts.insert(0, part);
        self.last_report = self.last_report.max(at);
        Ok(Changes { counts: vec![Change { series: id, after, is_new: before.is_none() }], cut_off: 0 })
    }

    /// Removes a part and returns the series that it counted.
    pub(super) fn remove(&mut self, part: u32) -> Vec<SeriesId> {
        let counters = self.parts.remove(&part).map(|part| part.counters);
        counters.into_iter().flatten().map(|(series, _)| series).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// The changes that a record made in a run.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) counts: Vec<Change>,
    /// How many counters were left out because the table of series is full.
    pub(super) cut_off: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) series: SeriesId,
    pub(super) after: u128,
    /// Whether the run did not count the series before.
    pub(super) is_new: bool,
}

/// The counts of a report that are not those of the report before it.
fn differences(old: &[(SeriesId, u64)], new: &[(SeriesId, u64)]) -> Vec<Change> {
    let is_aligned = old.len() <= new.len() && old.iter().zip(new).all(|(old, new)| old.0 == new.0);
    let by_id: HashMap<SeriesId, u64> = if is_aligned { HashMap::new() } else { old.iter().copied().collect() };
    let mut changes = Vec::new();
    for (index, (id, after)) in new.iter().enumerate() {
        let before = if is_aligned { old.get(index).map(|(_, count)| *count) } else { by_id.get(id).copied() };
        if before != Some(*after) {
            changes.push(Change { series: *id, after: u128::from(*after), is_new: before.is_none() });
        }
    }
    changes
}
