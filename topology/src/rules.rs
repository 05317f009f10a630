//! What a record does to the row of its key. Every table of rows uses these functions: the aggregator's and the dashboard's.
//!
//! `Id` is the caller's number of a series.

mod plain;

use quipu_record::{BadRecord, Offset};

pub use plain::{Counted, Decision, PlainRow, first, plain};

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
