//! The oracle: a plain fold over a log. It knows nothing of queues, groups or numbers for series, and looks through all
//! rows for every record.

use std::collections::BTreeMap;

use crate::fold::{Declared, LogRecord, Logged, SERIES, began};

const HOUR: i64 = 3_600_000;
const WEEK: i64 = 7 * 24 * HOUR;

/// A row of the oracle.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleRow {
    pub counters: BTreeMap<usize, u64>,
    pub base: i128,
    /// What does not count: that of a row that began with a baseline, and of series that were forgotten.
    pub baseline: BTreeMap<usize, u64>,
    is_rebased: bool,
    pub is_final: bool,
    pub last_seen: i64,
    /// The run, without the part, or the plain key.
    run: String,
    began: Option<i64>,
    seq: u64,
    parts: u32,
    log_time: i64,
    timestamp: Option<i64>,
    previous: Option<(i64, u64, Option<i64>)>,
    expires: bool,
}

/// What is kept of an expired run.
#[derive(Debug, Clone, PartialEq)]
struct Marker {
    began: Option<i64>,
    seq: u64,
    log_time: i64,
    due: i64,
}

/// The result of a log: the latest valid record of every key, what was counted before, and what expired rows counted.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Oracle {
    pub rows: BTreeMap<String, OracleRow>,
    pub bad: usize,
    /// How many rows began with a baseline because their history was unknown.
    pub rebased: usize,
    /// How many runs and plain keys expired.
    pub expired: usize,
    pub retired: BTreeMap<usize, i128>,
    /// `retention.runs` and `retention.finished`, in ms.
    retention: (Option<i64>, Option<i64>),
    markers: BTreeMap<String, Marker>,
    horizon: Option<i64>,
    log_time: i64,
    appended_at: Option<i64>,
}

impl<'a> FromIterator<&'a Logged> for Oracle {
    fn from_iter<I: IntoIterator<Item = &'a Logged>>(log: I) -> Self {
        Self::with_retention((None, None), log)
    }
}

impl OracleRow {
    /// What the row contributes to a series; nothing if nothing was counted since its baseline.
    pub fn contribution(&self, series: usize) -> Option<i128> {
        let counted = self.base + i128::from(*self.counters.get(&series)?);
        match self.baseline.get(&series) {
            Some(baseline) if i128::from(*baseline) == counted => None,
            Some(baseline) => Some(counted - i128::from(*baseline)),
            None => Some(counted),
        }
    }
}

impl Oracle {
    /// Folds a log with these retentions of silent and of finished runs, in ms.
    pub fn with_retention<'a>(
        retention: (Option<i64>, Option<i64>),
        log: impl IntoIterator<Item = &'a Logged>,
    ) -> Self {
        let mut oracle = Self { retention, ..Self::default() };
        for logged in log {
            oracle.push(logged);
        }
        oracle
    }

    /// The total of each series that has one.
    pub fn totals(&self) -> BTreeMap<usize, i128> {
        let mut totals = self.retired.clone();
        for row in self.rows.values() {
            for series in row.counters.keys() {
                if let Some(counted) = row.contribution(*series) {
                    *totals.entry(*series).or_default() += counted;
                }
            }
        }
        totals
    }

    /// The total of each series, in the order of [`SERIES`]; 0 where there is none.
    pub fn all_totals(&self) -> [i128; SERIES.len()] {
        let mut all = [0; SERIES.len()];
        for (series, total) in self.totals() {
            all[series] = total;
        }
        all
    }

    /// How many expired runs and plain keys are remembered.
    pub fn markers(&self) -> usize {
        self.markers.len()
    }

    pub fn push(&mut self, Logged { timestamp, record }: &Logged) {
        if self.retention != (None, None) {
            self.advance(*timestamp);
        }
        let key = record.key();
        let before = self.rows.get(&key).cloned();
        match record {
            LogRecord::Report { run, parts, seq, is_final, counters, .. } => {
                let of_run = crate::fold::run_key(*run, 0);
                let new: BTreeMap<_, _> = counters.iter().copied().collect();
                let Some(is_rebased) = self.is_rebased_run(before.as_ref(), &of_run, *run, *seq, *timestamp) else {
                    return;
                };
                let follows = before.as_ref().is_none_or(|row| {
                    row.counters.iter().all(|(series, count)| new.get(series).is_some_and(|after| after >= count))
                });
                if new.len() < counters.len() || !follows {
                    self.bad += 1;
                    return;
                }
                let positive = new.iter().filter(|(_, count)| is_rebased && **count > 0);
                let baseline = positive.map(|(series, count)| (*series, *count)).collect();
                let row = OracleRow {
                    baseline: before.as_ref().map_or(baseline, |row| row.baseline.clone()),
                    is_rebased: before.as_ref().map_or(is_rebased, |row| row.is_rebased),
                    counters: new,
                    base: 0,
                    is_final: *is_final,
                    last_seen: before.as_ref().map_or(*timestamp, |row| row.last_seen.max(*timestamp)),
                    began: Some(began(*run).0),
                    run: of_run.clone(),
                    seq: *seq,
                    parts: *parts,
                    log_time: self.log_time,
                    timestamp: None,
                    previous: None,
                    expires: true,
                };
                self.rebased += usize::from(is_rebased);
                if before.is_none() {
                    self.markers.remove(&of_run);
                }
                self.rows.insert(key, row);
            }
            LogRecord::Plain { series, count, timestamp: at, declared, .. } => {
                self.plain(&key, before, *series, *count, *at, *declared, *timestamp);
            }
            LogRecord::Tombstone { .. } => {
                self.rows.remove(&key);
            }
            LogRecord::Forget { series, .. } => self.forget(*series),
            LogRecord::Bad { .. } => self.bad += 1,
        }
    }

    /// Whether a report's row begins with a baseline; `None` if the report is stale.
    fn is_rebased_run(
        &self,
        row: Option<&OracleRow>,
        of_run: &str,
        run: usize,
        seq: u64,
        timestamp: i64,
    ) -> Option<bool> {
        if let Some(row) = row {
            return (seq >= row.seq).then_some(false);
        }
        let mut parts = self.rows.values().filter(|row| row.run == of_run).peekable();
        if parts.peek().is_some() {
            return Some(parts.any(|row| row.is_rebased));
        }
        match self.markers.get(of_run) {
            Some(marker) => (seq > marker.seq).then_some(true),
            None => Some(self.is_unknown(began(run).0, timestamp)),
        }
    }

    fn is_unknown(&self, began: i64, timestamp: i64) -> bool {
        let is_ahead = self.retention != (None, None) && began > timestamp + HOUR;
        is_ahead || self.horizon.is_some_and(|horizon| began <= horizon)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one record")]
    fn plain(
        &mut self,
        key: &str,
        before: Option<OracleRow>,
        series: usize,
        count: u64,
        at: Option<i64>,
        declared: Declared,
        timestamp: i64,
    ) {
        let Declared { start, is_baseline, expires } = declared;
        if expires && start.is_none() {
            self.bad += 1;
            return;
        }
        let Some(mut row) = before else {
            let is_rebased = match self.markers.get(key) {
                Some(marker) => start <= marker.began,
                None => expires && start.is_some_and(|start| self.is_unknown(start, timestamp)),
            };
            self.rebased += usize::from(is_rebased);
            self.markers.remove(key);
            let row = OracleRow {
                counters: [(series, count)].into(),
                base: if is_rebased || is_baseline { -i128::from(count) } else { 0 },
                baseline: BTreeMap::new(),
                is_rebased: false,
                is_final: false,
                last_seen: timestamp,
                run: key.to_owned(),
                began: start,
                seq: 0,
                parts: 0,
                log_time: self.log_time,
                timestamp: at,
                previous: None,
                expires,
            };
            self.rows.insert(key.to_owned(), row);
            return;
        };
        let Some(counted) = row.counters.get(&series).copied() else {
            self.bad += 1;
            return;
        };
        let later = |than: Option<i64>| matches!((at, than), (Some(at), Some(than)) if at > than);
        let baseline = if is_baseline { i128::from(count) } else { 0 };
        let restart = |row: &mut OracleRow| {
            row.base += i128::from(counted) - baseline;
            if let Some(began) = row.began {
                row.previous = Some((began, counted, row.timestamp));
            }
            row.counters = [(series, count)].into();
            (row.began, row.timestamp) = (start, at);
        };
        let mut is_latest = true;
        match (start, row.previous, row.began) {
            (Some(start), Some((earlier, ..)), _) if start < earlier => {
                self.bad += usize::from(later(row.timestamp));
                return;
            }
            (Some(start), Some((earlier, highest, highest_at)), _) if start == earlier => {
                if count <= highest {
                    self.bad += usize::from(count < highest && later(highest_at));
                    return;
                }
                row.base += i128::from(count - highest);
                row.previous = Some((earlier, count, highest_at.max(at)));
                is_latest = false;
            }
            (Some(start), _, Some(latest)) if start > latest => restart(&mut row),
            (Some(start), _, Some(latest)) if start < latest => {
                row.base += i128::from(count) - baseline;
                row.previous = Some((start, count, at));
                is_latest = false;
            }
            (Some(start), _, None) if row.timestamp.map_or(count < counted, |timestamp| start > timestamp) => {
                restart(&mut row);
            }
            (Some(_), ..) if count < counted => {
                self.bad += usize::from(later(row.timestamp));
                return;
            }
            (Some(_), ..) => {
                row.counters = [(series, count)].into();
                (row.began, row.timestamp) = (start, at);
            }
            (None, ..) if count >= counted => {
                row.counters = [(series, count)].into();
                row.timestamp = at;
            }
            (None, ..) if matches!((row.timestamp, at), (Some(before), Some(at)) if at <= before) => return,
            (None, ..) => restart(&mut row),
        }
        if is_latest {
            row.expires = expires;
        }
        row.last_seen = row.last_seen.max(timestamp);
        row.log_time = self.log_time;
        self.rows.insert(key.to_owned(), row);
    }

    fn forget(&mut self, series: usize) {
        self.retired.remove(&series);
        for row in self.rows.values_mut() {
            if let Some(count) = row.counters.get(&series) {
                row.base = 0;
                row.baseline.insert(series, *count);
            }
        }
    }

    /// Moves the log time, and retires what has expired by then.
    fn advance(&mut self, timestamp: i64) {
        self.log_time += self.appended_at.map_or(0, |before| (timestamp - before).clamp(0, 60_000));
        self.appended_at = Some(timestamp);
        let runs: std::collections::BTreeSet<String> = self.rows.values().map(|row| row.run.clone()).collect();
        for run in runs {
            if self.has_expired(&run) {
                self.retire(&run);
            }
        }
        let of_markers = self.retention.0.unwrap_or(WEEK);
        let due: Vec<String> =
            self.markers.iter().filter(|(_, marker)| marker.due <= self.log_time).map(|(key, _)| key.clone()).collect();
        for key in due {
            let Some(marker) = self.markers.remove(&key) else { continue };
            match marker.began {
                Some(began) if began > timestamp + HOUR => {
                    self.markers.insert(key, Marker { due: self.log_time + of_markers, ..marker });
                }
                began => self.horizon = self.horizon.max(began),
            }
        }
    }

    fn has_expired(&self, run: &str) -> bool {
        let rows: Vec<&OracleRow> = self.rows.values().filter(|row| row.run == run).collect();
        let silent = self.log_time - rows.iter().map(|row| row.log_time).max().unwrap_or(self.log_time);
        let parts = rows.iter().map(|row| row.parts).max().unwrap_or_default();
        let is_complete = parts > 0 && rows.len() >= usize::try_from(parts).expect("few parts");
        let is_finished = is_complete && rows.iter().all(|row| row.is_final);
        let is_over = |retention: Option<i64>| retention.is_some_and(|retention| silent >= retention);
        rows.iter().all(|row| row.expires) && (is_over(self.retention.0) || (is_finished && is_over(self.retention.1)))
    }

    fn retire(&mut self, run: &str) {
        let keys: Vec<String> =
            self.rows.iter().filter(|(_, row)| row.run == run).map(|(key, _)| key.clone()).collect();
        let due = self.log_time + self.retention.0.unwrap_or(WEEK);
        let mut marker = Marker { began: None, seq: 0, log_time: self.log_time, due };
        for key in keys {
            let Some(row) = self.rows.remove(&key) else { continue };
            for series in row.counters.keys() {
                if let Some(counted) = row.contribution(*series) {
                    *self.retired.entry(*series).or_default() += counted;
                }
            }
            (marker.began, marker.seq) = (row.began, marker.seq.max(row.seq));
        }
        self.expired += 1;
        self.markers.insert(run.to_owned(), marker);
    }
}
