//! The rules for plain records: restarts that are declared by a start, and those that are guessed from a lower count.

use quipu_record::{BadRecord, Life, Millis};

/// A row of a plain counter, as far as the next record depends on it. It contributes `base + count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainRow {
    /// The count with the latest start.
    pub count: u64,
    /// What was counted before: with earlier starts, and before guessed restarts; less a baseline.
    pub base: i128,
    /// The timestamp in the newest record of `count`, if there was one.
    pub timestamp: Option<Millis>,
    /// When `count` began at zero, if that was declared.
    pub start: Option<Millis>,
    /// The count with the next earlier start, which the base includes.
    pub previous: Option<Life>,
}

/// What a plain record declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Its count.
    pub count: u64,
    /// When the count was true, if the record has a timestamp.
    pub timestamp: Option<Millis>,
    /// When the count began at zero, if the record has a start.
    pub start: Option<Millis>,
    /// Whether the count includes what was counted elsewhere: as the first of a row or of a start it contributes 0.
    pub is_baseline: bool,
}

/// What a plain record that is not bad does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The row becomes this.
    Apply(PlainRow),
    /// The program restarted; the row becomes this.
    Restart(PlainRow),
    /// The record is older than the row and is ignored.
    Stale,
}

/// The row of a key that has none, after its first record.
#[must_use]
pub fn first(record: Counted) -> PlainRow {
    let Counted { count, timestamp, start, .. } = record;
    PlainRow { count, base: record.excess(), timestamp, start, previous: None }
}

/// Decides what a plain record does to its row.
///
/// The two latest starts are kept apart, so that records of two lives of a program may arrive in any order. Without a
/// start, a lower count is taken for a restart, unless its timestamp shows that the record is older.
///
/// # Errors
/// A count went back within one start, or an earlier start than the two kept ones is still counting.
pub fn plain(row: &PlainRow, record: Counted, series: impl Fn() -> String) -> Result<Decision, BadRecord> {
    match record.start {
        Some(start) => declared(row, record, start, series),
        None if record.count >= row.count => Ok(Decision::Apply(row.counting(record))),
        None if row.timestamp.zip(record.timestamp).is_some_and(|(before, after)| after <= before) => {
            Ok(Decision::Stale)
        }
        None => Ok(Decision::Restart(row.restarted(record))),
    }
}

fn declared(
    row: &PlainRow,
    record: Counted,
    start: Millis,
    series: impl Fn() -> String,
) -> Result<Decision, BadRecord> {
    if let Some(previous) = row.previous {
        if start < previous.start {
            return if is_later(record.timestamp, row.timestamp) {
                Err(BadRecord::TwoWriters { start, latest: row.start.unwrap_or(previous.start) })
            } else {
                Ok(Decision::Stale)
            };
        }
        if start == previous.start {
            if record.count <= previous.count {
                return older(record, previous.count, previous.timestamp, series);
            }
            let added = i128::from(record.count - previous.count);
            let timestamp = previous.timestamp.max(record.timestamp);
            let previous = Some(Life { count: record.count, timestamp, ..previous });
            return Ok(Decision::Apply(PlainRow { base: row.base + added, previous, ..*row }));
        }
    }
    let Some(latest) = row.start else {
        // The row's count began at an unknown time: with this start, unless the start is later than the count.
        let is_new = row.timestamp.map_or(record.count < row.count, |timestamp| start > timestamp);
        return if is_new {
            Ok(Decision::Restart(row.restarted(record)))
        } else if record.count < row.count {
            older(record, row.count, row.timestamp, series)
        } else {
            Ok(Decision::Apply(PlainRow { start: Some(start), ..row.counting(record) }))
        };
    };
    if start > latest {
        return Ok(Decision::Restart(row.restarted(record)));
    }
    if start < latest {
        let previous = Some(Life { start, count: record.count, timestamp: record.timestamp });
        let base = row.base + i128::from(record.count) + record.excess();
        return Ok(Decision::Apply(PlainRow { base, previous, ..*row }));
    }
    if record.count < row.count {
        return older(record, row.count, row.timestamp, series);
    }
    Ok(Decision::Apply(row.counting(record)))
}

/// A record with a count that is not above that of its start.
fn older(
    record: Counted,
    count: u64,
    timestamp: Option<Millis>,
    series: impl Fn() -> String,
) -> Result<Decision, BadRecord> {
    if record.count < count && is_later(record.timestamp, timestamp) {
        return Err(BadRecord::CounterWentBack { series: series(), before: count, after: record.count });
    }
    Ok(Decision::Stale)
}

fn is_later(record: Option<Millis>, row: Option<Millis>) -> bool {
    record.zip(row).is_some_and(|(record, row)| record > row)
}

impl Counted {
    /// What a baseline takes away from the base.
    fn excess(&self) -> i128 {
        if self.is_baseline { -i128::from(self.count) } else { 0 }
    }
}

impl PlainRow {
    /// The row after a higher count of the same start.
    fn counting(&self, record: Counted) -> Self {
        Self { count: record.count, timestamp: record.timestamp, ..*self }
    }

    /// The row after the first count of a new start.
    fn restarted(&self, record: Counted) -> Self {
        let life = |start| Life { start, count: self.count, timestamp: self.timestamp };
        Self {
            count: record.count,
            base: self.base + i128::from(self.count) + record.excess(),
            timestamp: record.timestamp,
            start: record.start,
            previous: self.start.map(life).or(self.previous),
        }
    }
}
