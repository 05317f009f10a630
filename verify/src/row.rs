//! The rules of the table, one record at a time.

mod plain;
mod report;

use quipu_record::{Millis, SeriesRef, StateRow, StateRowKind, Value, limits};

use crate::names::{Names, SeriesId};

pub(crate) use plain::after_plain;
pub(crate) use report::after_report;

/// The row of a key.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The offset of the record that the row reflects.
    pub(crate) offset: i64,
    /// The log time of that record.
    pub(crate) log_time: Millis,
    pub(crate) kind: StateRowKind,
    pub(crate) counters: Vec<(SeriesId, u64)>,
    /// What does not count of the counters, ordered by series; a series that is not there has 0.
    pub(crate) baseline: Vec<(SeriesId, u64)>,
}

impl Row {
    /// The row's contribution to each of its series. A series of which nothing was counted since the baseline has none.
    pub(crate) fn contributions(&self) -> impl Iterator<Item = (SeriesId, i128)> {
        let base = match self.kind {
            StateRowKind::Run { .. } => 0,
            StateRowKind::Plain { base, .. } => base,
        };
        let baseline = &self.baseline;
        self.counters.iter().filter_map(move |(series, count)| {
            let counted = base.saturating_add(i128::from(*count));
            match baseline.binary_search_by_key(series, |(id, _)| *id) {
                Ok(at) => Some(counted - i128::from(baseline[at].1)).filter(|counted| *counted != 0),
                Err(_) => Some(counted),
            }
            .map(|counted| (*series, counted))
        })
    }

    /// Removes what the row contributes to a series: it counts from its present value on.
    pub(crate) fn forget(&mut self, forgotten: SeriesId) {
        let Some((_, count)) = self.counters.iter().copied().find(|(series, _)| *series == forgotten) else { return };
        if let StateRowKind::Plain { base, .. } = &mut self.kind {
            *base = 0;
        }
        self.baseline.retain(|(series, _)| *series != forgotten);
        self.baseline.push((forgotten, count));
        self.baseline.sort_unstable();
    }

    /// Whether the two rows are equal, apart from log time.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let Self { offset, log_time: _, kind, counters, baseline } = self;
        (*offset, *kind) == (other.offset, other.kind) && *counters == other.counters && *baseline == other.baseline
    }

    /// Whether a row of the changelog contradicts the record at its own offset, whatever records came before. What does
    /// not count is not compared, because it comes from earlier records or from requests to forget a series.
    pub(crate) fn contradicts(&self, stored: &Self) -> bool {
        if self.offset != stored.offset {
            return false;
        }
        match (self.kind, stored.kind) {
            (
                StateRowKind::Run { seq, parts, is_final, is_rebased: _ },
                StateRowKind::Run { seq: stored_seq, parts: stored_parts, is_final: stored_is_final, is_rebased: _ },
            ) => {
                (seq, parts, is_final) != (stored_seq, stored_parts, stored_is_final)
                    || self.counters != stored.counters
            }
            // The record may have belonged to the latest start or to the one before.
            (StateRowKind::Plain { previous, .. }, StateRowKind::Plain { previous: stored_previous, .. }) => {
                let ([(series, count)], [(stored_series, stored_count)]) = (&*self.counters, &*stored.counters) else {
                    return true;
                };
                let counts = [Some(*count), previous.map(|life| life.count)];
                let stored_counts = [Some(*stored_count), stored_previous.map(|life| life.count)];
                series != stored_series || !counts.iter().flatten().any(|count| stored_counts.contains(&Some(*count)))
            }
            _ => true,
        }
    }

    /// Whether the key may expire.
    pub(crate) fn may_expire(&self) -> bool {
        match self.kind {
            StateRowKind::Run { .. } => true,
            StateRowKind::Plain { expires, .. } => expires,
        }
    }

    /// Converts a row of the changelog.
    pub(crate) fn stored(stored: &StateRow<'_>, names: &mut Names) -> Self {
        let mut numbered = |(series, Value::Counter(count)): (SeriesRef<'_>, Value)| (names.id(series, None), count);
        let header = stored.header;
        let counters = stored.values().map(&mut numbered).collect();
        let mut baseline: Vec<_> = stored.baseline().map(&mut numbered).collect();
        baseline.sort_unstable();
        Self { offset: header.offset.0, log_time: header.log_time, kind: header.kind, counters, baseline }
    }
}

fn is_reserved(series: SeriesRef<'_>) -> bool {
    series.name().starts_with(limits::RESERVED_PREFIX)
}
