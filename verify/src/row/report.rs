use quipu_record::{Report, StateRowKind, Value};

use super::{Row, is_reserved};
use crate::fold::At;
use crate::names::{Names, SeriesId};

/// The row after a report, or `None` if the report is bad or stale.
///
/// `rebased` is whether a new row begins with a baseline.
pub(crate) fn after_report(
    before: Option<&Row>,
    report: &Report<'_>,
    rebased: bool,
    at: At,
    names: &mut Names,
) -> Option<Row> {
    if let Some(Row { kind: StateRowKind::Run { seq, .. }, .. }) = before
        && report.seq < *seq
    {
        return None;
    }
    let earlier = before.map_or(&[][..], |row| &row.counters);
    if report.values().any(|(series, _)| is_reserved(series)) {
        return None;
    }
    let counters: Vec<_> = report
        .values()
        .enumerate()
        .map(|(at, (series, Value::Counter(count)))| (names.id(series, earlier.get(at).map(|(id, _)| *id)), count))
        .collect();
    let mut sorted = counters.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let value_now = |id: SeriesId| sorted.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| sorted[at].1);
    // None of the run's series may be missing, and none may be lower than before.
    if earlier.iter().any(|(id, value)| value_now(*id).is_none_or(|now| now < *value)) {
        return None;
    }
    let (is_rebased, baseline) = match before {
        Some(Row { kind: StateRowKind::Run { is_rebased, .. }, baseline, .. }) => (*is_rebased, baseline.clone()),
        _ => (rebased, sorted.into_iter().filter(|(_, count)| rebased && *count > 0).collect()),
    };
    let kind = StateRowKind::Run { seq: report.seq, parts: report.parts, is_final: report.is_final, is_rebased };
    Some(Row { offset: at.offset, log_time: at.log_time, kind, counters, baseline })
}
