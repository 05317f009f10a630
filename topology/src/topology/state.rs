//! The rows and what belongs to them, as they go to the changelog and the store, and back.

use quipu_record::{
    Key, Millis, Offset, Series, StateClock, StateKey, StateMarker, StateRetired, StateRow, StateRowError,
    StateRowHeader, StateRowKind,
};

use super::Topology;
use super::apply::{over_capacity, run_key};
use crate::presence::Departure;
use crate::row::{Baseline, Declared, Row, RowKind, RowMeta};
use crate::rules::PlainRow;
use crate::series_index::SeriesIndex;
use crate::values::ValuesRef;

impl Topology {
    /// Passes what changed since the last call, as it goes to the changelog and the store: rows, retired sums, markers and
    /// the log time, each with its key, and its value, or `None` if it was removed.
    pub fn take_rows(&mut self, mut row: impl FnMut(&[u8], Option<Vec<u8>>)) {
        let Self { table, series, sums, markers, log_time, .. } = self;
        table.take_changes(|key, changed| row(key, changed.map(|changed| encode(changed, series))));
        for removed in sums.retired.take_removed() {
            row(&StateKey::Retired(&removed.to_string()).encode(), None);
        }
        for id in sums.retired.take_changed() {
            if let Some((series, retired)) = series.get(id).zip(sums.retired.get(id)) {
                row(&StateKey::Retired(&series.to_string()).encode(), Some(retired.encode()));
            }
        }
        // The row of a run that reports again was passed before its marker is removed, so one of the two is always there.
        markers.take_changed(|key, marker| row(&StateKey::Marker(key).encode(), marker.map(|marker| marker.encode())));
        if let Some(clock) = log_time.take_changed() {
            row(StateKey::CLOCK, Some(clock.encode()));
        }
    }

    /// Takes over a record as [`Self::take_rows`] passed it, from the store or the changelog. It does not count as changed,
    /// and its run does not count as one that joined or left.
    ///
    /// # Errors
    /// The record can't be read, or it is over a limit.
    pub fn load(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateRowError> {
        match (StateKey::decode(key), value) {
            (StateKey::Row(key), Some(value)) => self.load_row(key, value)?,
            (StateKey::Row(key), None) => self.unload_row(key),
            (StateKey::Clock, Some(value)) => self.log_time.load(StateClock::decode(value)?),
            (StateKey::Clock, None) | (StateKey::Position, _) => {}
            (StateKey::Marker(key), Some(value)) => {
                let marker = StateMarker::decode(value)?;
                self.markers.load(key, Some((marker, self.marker_due(&marker))));
            }
            (StateKey::Marker(key), None) => self.markers.load(key, None),
            (StateKey::Retired(series), value) => self.load_retired(series, value)?,
        }
        Ok(())
    }

    fn load_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), StateRowError> {
        let stored = StateRow::decode(value)?;
        let StateRowHeader { offset, last_seen, log_time, live, kind } = stored.header;
        let none = ValuesRef::default();
        let max_series = self.settings.max_series;
        self.resolved.fill(&mut self.series, max_series, none, stored.baseline())?;
        let mut baseline: Baseline = self.resolved.values.as_ref().counters.to_vec();
        baseline.sort_unstable_by_key(|(id, _)| *id);
        let baseline = (!baseline.is_empty()).then(|| Box::new(baseline));
        self.resolved.fill(&mut self.series, max_series, none, stored.values())?;
        let limit = self.settings.max_rows;
        if self.table.len() >= limit && self.table.find(key).is_none() {
            self.resolved.undo(&mut self.series);
            return Err(over_capacity(limit).into());
        }
        let kind = match kind {
            StateRowKind::Run { seq, parts, is_final, is_rebased } => RowKind::Run { seq, parts, is_final, is_rebased },
            StateRowKind::Plain { base, timestamp, start, previous, expires } => {
                RowKind::plain(&PlainRow { count: 0, base, timestamp, start, previous }, expires)
            }
        };
        let run = Self::run_of(key, &kind);
        let meta = RowMeta { kind, live, last_seen, log_time, offset };
        let values = self.resolved.values.as_ref().into();
        let Self { table, sums, presence, series, .. } = self;
        table.load(key, Row { meta, values, baseline }, |id, change| {
            presence.loaded(key, change.old.is_some_and(|row| row.live), live);
            sums.forward(id, change, series, last_seen);
        });
        match run {
            Some(run) => self.join(run, key),
            // An earlier record of a plain key may have let it expire.
            None => _ = self.runs.take(key),
        }
        self.position = self.position.max(offset.next());
        Ok(())
    }

    fn unload_row(&mut self, key: &[u8]) {
        let Self { table, sums, presence, series, .. } = self;
        let removed = table.unload(key, |id, change| {
            presence.loaded(key, change.old.is_some_and(|row| row.live), false);
            sums.forward(id, change, series, Millis::MIN);
        });
        if let (Some(row), Ok(of)) = (removed, Key::decode(Some(key))) {
            self.leave(run_key(key, &of), row);
        }
    }

    fn load_retired(&mut self, series: &str, value: Option<&[u8]>) -> Result<(), StateRowError> {
        let series: Series = series.parse().map_err(|_| StateRowError::Shape("the key is not a series".to_owned()))?;
        let retired = value.map(StateRetired::decode).transpose()?;
        let id = match self.series.find(series.as_ref()) {
            Some(id) => id,
            None if retired.is_none() => return Ok(()),
            None => self.series.add(series.as_ref(), self.settings.max_series)?,
        };
        self.sums.set_retired(id, &series, retired, Millis::MIN);
        Ok(())
    }

    /// Marks everything as changed, so that [`Self::take_rows`] passes all of it.
    pub fn touch_rows(&mut self) {
        self.table.touch_all();
        self.sums.retired.touch();
        self.markers.touch();
        self.log_time.touch();
    }

    /// Removes everything, because the log that it came from is gone.
    pub fn clear(&mut self, now: Millis) {
        let keys: Vec<Box<[u8]>> = self.table.keys().map(Into::into).collect();
        let Self { table, sums, presence, series, .. } = self;
        for key in keys {
            table.remove(&key, |id, change| {
                if change.old.is_some_and(|row| row.live) {
                    presence.departed(&key, Departure::Left);
                }
                sums.forward(id, change, series, now);
            });
        }
        let retired: Vec<_> = sums.retired.ids().collect();
        for id in retired {
            if let Some(series) = series.get(id) {
                sums.set_retired(id, series, None, now);
                sums.retired.remove(id, series);
            }
        }
        self.runs.clear();
        self.markers.clear();
        self.log_time.clear();
        self.position = Offset::ZERO;
    }
}

fn encode(row: &Row, series: &SeriesIndex) -> Vec<u8> {
    let RowMeta { kind, live, last_seen, log_time, offset } = &row.meta;
    let kind = match kind {
        RowKind::Run { seq, parts, is_final, is_rebased } => {
            StateRowKind::Run { seq: *seq, parts: *parts, is_final: *is_final, is_rebased: *is_rebased }
        }
        RowKind::Plain { base, timestamp, declared } => {
            let Declared { start, previous, expires } = declared.as_deref().copied().unwrap_or_default();
            StateRowKind::Plain { base: *base, timestamp: *timestamp, start, previous, expires }
        }
    };
    let header = StateRowHeader { offset: *offset, last_seen: *last_seen, log_time: *log_time, live: *live, kind };
    // Every series of a row is in the index.
    let named = |(id, value)| Some((series.get(id)?.as_ref(), value));
    let baseline = ValuesRef { counters: row.baseline.as_deref().map_or(&[], Vec::as_slice) };
    StateRow::encode(&header, row.values.as_ref().iter().filter_map(named), baseline.iter().filter_map(named))
}
