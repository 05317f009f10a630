//! When rows expire, and what is known of a run or a plain key that has no row.

use quipu_record::{Key, Millis, PlainRecord, RunKey, StateMarker};

use super::apply::run_key;
use super::{At, SourceRecord, Topology};
use crate::presence::Departure;
use crate::retirement::{History, MAX_CLOCK_AHEAD};
use crate::row::{Row, RowKind, RowMeta};

impl Topology {
    /// Moves the log time by a record that is not applied yet, and retires what has expired by then.
    pub(super) fn advance(&mut self, record: &SourceRecord<'_>) {
        let Some(appended_at) = record.timestamp.filter(|_| record.is_append_time) else { return };
        self.log_time.advance(appended_at);
        let now = self.log_time.now();
        while let Some(run) = {
            let Self { runs, table, settings, .. } = self;
            runs.pop_expired(now, &settings.retention, |row| table.get(row).map(|row| &row.meta))
        } {
            self.retire(&run);
        }
        self.drop_markers(appended_at);
    }

    /// Retires a run or a plain key: its rows go, what they contributed stays.
    fn retire(&mut self, run: &[u8]) {
        let rows: Vec<Box<[u8]>> = self.runs.rows(run).map(|row| self.table.key(row).into()).collect();
        let Some(run) = self.runs.take(run) else { return };
        let mut marker = StateMarker { began: None, seq: 0, log_time: self.log_time.now() };
        let why = if self.has_published { Departure::Silent } else { Departure::BeforeStart };
        for key in rows {
            let Self { table, sums, presence, series, .. } = self;
            let removed = table.remove(&key, |id, change| sums.retire(id, change, series));
            let Some((_, row)) = removed else { continue };
            if row.meta.live {
                presence.departed(&key, why);
            }
            presence.expired(&key);
            match row.meta.kind {
                RowKind::Run { seq, .. } => {
                    marker.seq = marker.seq.max(seq);
                    if let Ok(Key::Run(run)) = Key::decode(Some(&key)) {
                        marker.began = run.began();
                    }
                }
                RowKind::Plain { declared, .. } => marker.began = declared.and_then(|declared| declared.start),
            }
        }
        self.markers.add(run, marker, self.marker_due(&marker));
    }

    pub(super) fn marker_due(&self, marker: &StateMarker) -> Millis {
        marker.log_time.saturating_add(self.settings.retention.of_markers())
    }

    /// Drops the markers that are due, and raises the horizon instead.
    fn drop_markers(&mut self, appended_at: Millis) {
        let (now, limit) = (self.log_time.now(), self.settings.max_rows);
        loop {
            let is_over = self.markers.len() > limit;
            let Some((key, marker)) = self.markers.pop_due(now, limit) else { return };
            let Some(began) = marker.began else { continue };
            // The horizon must not be raised into the future by one wrong clock.
            if !is_ahead(began, appended_at) {
                self.log_time.raise_horizon(began);
            } else if !is_over {
                let marker = StateMarker { log_time: now, ..marker };
                self.markers.add(key, marker, self.marker_due(&marker));
            }
        }
    }

    /// What is known of a run whose part has no row.
    pub(super) fn history_of_run(&self, key: &[u8], run: &RunKey<'_>, seq: u64, at: At) -> History {
        let mut rows = self.runs.rows(key).filter_map(|row| self.table.get(row)).peekable();
        if rows.peek().is_some() {
            // A run that began with a baseline was counted before, in this part too.
            let is_rebased = |row: &Row| matches!(row.meta.kind, RowKind::Run { is_rebased: true, .. });
            return if rows.any(is_rebased) { History::Unknown } else { History::Known };
        }
        match self.markers.get(key) {
            Some(marker) if seq <= marker.seq => History::Stale,
            Some(_) => History::Unknown,
            None => self.history_since(run.began(), at),
        }
    }

    /// What is known of a plain key that has no row.
    pub(super) fn history_of_plain(&self, key: &[u8], plain: &PlainRecord<'_>, at: At) -> History {
        match self.markers.get(key) {
            // A start after the latest one that was counted declares a restart.
            Some(marker) if plain.start > marker.began => History::Known,
            Some(_) => History::Unknown,
            None if plain.expires => self.history_since(plain.start, at),
            None => History::Known,
        }
    }

    /// What is known of what began at this time, and has neither a row nor a marker.
    fn history_since(&self, began: Option<Millis>, at: At) -> History {
        let is_unknown = began.is_some_and(|began| {
            let is_ahead = at.recorded.is_some_and(|recorded| is_ahead(began, recorded));
            self.log_time.is_beyond_horizon(began) || (is_ahead && self.settings.retention.is_on())
        });
        if is_unknown { History::Unknown } else { History::Known }
    }

    /// Adds a row to its run, or computes anew when the run expires.
    pub(super) fn join(&mut self, run: &[u8], key: &[u8]) {
        let Some((row, _)) = self.table.find(key) else { return };
        self.runs.add(run, row);
        self.schedule(run);
    }

    /// Removes a row that is gone from its run.
    pub(super) fn leave(&mut self, run: &[u8], row: usize) {
        self.runs.remove(run, row);
        self.schedule(run);
    }

    fn schedule(&mut self, run: &[u8]) {
        let Self { runs, table, settings, .. } = self;
        let meta = |row| -> Option<&RowMeta> { table.get(row).map(|row| &row.meta) };
        runs.schedule(run, &settings.retention, meta);
    }

    /// The run of a restored row, if the row may expire.
    pub(super) fn run_of<'k>(key: &'k [u8], kind: &RowKind) -> Option<&'k [u8]> {
        let of = Key::decode(Some(key)).ok()?;
        kind.expires().then(|| run_key(key, &of))
    }
}

/// Whether a clock was ahead by which something began.
fn is_ahead(began: Millis, recorded: Millis) -> bool {
    began > recorded.saturating_add(MAX_CLOCK_AHEAD)
}
