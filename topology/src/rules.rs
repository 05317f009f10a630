//! What a record does to the row of its key. Every table of rows uses these functions: the aggregator's and the dashboard's.
//!
//! `Id` is the type of the numbers by which the caller knows its series.

use quipu_record::{BadRecord, Millis, Offset};

/// What a plain record that is not bad does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It replaces the row, which keeps this base.
    Apply {
        /// What was counted before its restarts.
        base: u128,
    },
    /// A lower count is taken for a restart: the record replaces the row, whose count was added to this base.
    Restart {
        /// What was counted before this restart and all earlier ones.
        base: u128,
    },
    /// It is older than the row and is ignored.
    Stale,
}

/// A row of a plain counter, as far as the next record depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainRow<Id> {
    /// Its series.
    pub series: Id,
    /// Its count.
    pub count: u64,
    /// What was counted before its restarts.
    pub base: u128,
    /// The timestamp in its newest record, if there was one.
    pub timestamp: Option<Millis>,
}

/// Whether a row includes a record already: records are read again after a restart.
#[must_use]
pub fn is_replayed(row: Offset, record: Offset) -> bool {
    record <= row
}

/// Whether a report with the number `seq` is older than the latest one of its row.
#[must_use]
pub fn is_stale(latest: u64, seq: u64) -> bool {
    seq < latest
}

/// Checks that the counters of a report may follow those of its row, which are none if there is no row.
///
/// Within one run no counter goes back and no series vanishes; in one report no series occurs twice. `scratch` is memory
/// to work in.
///
/// # Errors
/// The report breaks one of these rules.
pub fn counters_follow<Id: Copy + Ord>(
    before: &[(Id, u64)],
    after: &[(Id, u64)],
    scratch: &mut Vec<(Id, u64)>,
    text: impl Fn(Id) -> String,
) -> Result<(), BadRecord> {
    let went_back =
        |id: Id, before: u64, after: u64| Err(BadRecord::CounterWentBack { series: text(id), before, after });
    let same_order = before.len() == after.len() && before.iter().zip(after).all(|(before, after)| before.0 == after.0);
    if same_order {
        let lower = before.iter().zip(after).find(|((_, before), (_, after))| after < before);
        return lower.map_or(Ok(()), |((id, before), (_, after))| went_back(*id, *before, *after));
    }
    scratch.clear();
    scratch.extend_from_slice(after);
    scratch.sort_unstable_by_key(|(id, _)| *id);
    if let Some(pair) = scratch.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(BadRecord::DuplicateSeries(text(pair[0].0)));
    }
    for (id, before) in before {
        match scratch.binary_search_by_key(id, |(id, _)| *id) {
            Ok(at) if scratch[at].1 < *before => return went_back(*id, *before, scratch[at].1),
            Ok(_) => {}
            Err(_) => return Err(BadRecord::SeriesVanished { series: text(*id) }),
        }
    }
    Ok(())
}

/// Decides what a plain record does to its row.
///
/// A lower count is taken for a restart, unless both records have a timestamp and that of the new one is not later.
///
/// # Errors
/// The key counted another series before; `is_series` is whether a number is that of the record's series.
pub fn plain<Id: Copy>(
    row: Option<&PlainRow<Id>>,
    is_series: impl Fn(Id) -> bool,
    count: u64,
    timestamp: Option<Millis>,
    text: impl Fn(Id) -> String,
) -> Result<Decision, BadRecord> {
    let Some(row) = row else { return Ok(Decision::Apply { base: 0 }) };
    if !is_series(row.series) {
        return Err(BadRecord::SeriesChanged { before: text(row.series) });
    }
    if count >= row.count {
        return Ok(Decision::Apply { base: row.base });
    }
    let is_later = row.timestamp.zip(timestamp).is_none_or(|(before, after)| after > before);
    Ok(if is_later { Decision::Restart { base: row.base + u128::from(row.count) } } else { Decision::Stale })
}
