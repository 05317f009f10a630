//! The rules of the table, one record at a time.

use quipu_record::{PlainRecord, Report, SeriesRef, StateRow, StateRowKind, Value, limits};

use crate::names::{Names, SeriesId};

/// The row of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The offset of the record that the row reflects.
    pub(crate) offset: i64,
    pub(crate) kind: StateRowKind,
    pub(crate) counters: Vec<(SeriesId, u64)>,
}

impl Row {
    /// The row's contribution to each of its series.
    pub(crate) fn contributions(&self) -> impl Iterator<Item = (SeriesId, i128)> {
        let base = match self.kind {
            StateRowKind::Run { .. } => 0,
            StateRowKind::Plain { base, .. } => i128::try_from(base).unwrap_or(i128::MAX),
        };
        self.counters.iter().map(move |(series, value)| (*series, base.saturating_add(i128::from(*value))))
    }

    /// Converts a row of the changelog.
    pub(crate) fn stored(stored: &StateRow<'_>, names: &mut Names) -> Self {
        let counters = stored.values().map(|(series, Value::Counter(count))| (names.id(series, None), count)).collect();
        Self { offset: stored.header.offset.0, kind: stored.header.kind, counters }
    }
}

/// The row after a report, or `None` if the report is bad or stale.
pub(crate) fn after_report(before: Option<&Row>, report: &Report<'_>, offset: i64, names: &mut Names) -> Option<Row> {
    if let Some(Row { kind: StateRowKind::Run { seq }, .. }) = before
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
    Some(Row { offset, kind: StateRowKind::Run { seq: report.seq }, counters })
}

/// The row after a plain counter, or `None` if the counter is bad or stale.
pub(crate) fn after_plain(
    before: Option<&Row>,
    plain: &PlainRecord<'_>,
    offset: i64,
    names: &mut Names,
) -> Option<Row> {
    if is_reserved(plain.series()) {
        return None;
    }
    let Value::Counter(counted) = plain.value;
    let id = names.id(plain.series(), None);
    let mut base = 0;
    if let Some(Row { kind: StateRowKind::Plain { base: earlier, timestamp }, counters, .. }) = before {
        let (series, count) = *counters.first()?;
        if series != id {
            return None;
        }
        base = *earlier;
        if counted < count {
            if let (Some(then), Some(now)) = (*timestamp, plain.timestamp)
                && now <= then
            {
                return None;
            }
            base += u128::from(count);
        }
    }
    let kind = StateRowKind::Plain { base, timestamp: plain.timestamp };
    Some(Row { offset, kind, counters: vec![(id, counted)] })
}

fn is_reserved(series: SeriesRef<'_>) -> bool {
    series.name().starts_with(limits::RESERVED_PREFIX)
}
