//! From the series in a record to their numbers, and whether its values may follow those of the row.

use quipu_record::{BadRecord, SeriesRef, Value};

use crate::reduce::GroupId;
use crate::rules;
use crate::series_index::SeriesIndex;
use crate::values::{ValuesBuf, ValuesRef};

/// Memory that is used again for every record.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The record's values, in its order.
    pub(crate) values: ValuesBuf,
    scratch: ValuesBuf,
    added: Vec<GroupId>,
}

impl Resolved {
    /// Looks up the series of a record that may follow `row` (empty if there is none).
    ///
    /// After an error the index is as it was before.
    pub(crate) fn fill<'a>(
        &mut self,
        index: &mut SeriesIndex,
        max_series: usize,
        row: ValuesRef<'_>,
        values: impl Iterator<Item = (SeriesRef<'a>, Value)>,
    ) -> Result<(), BadRecord> {
        self.values.clear();
        self.added.clear();
        let result = self.look_up(index, max_series, row, values).and_then(|()| self.check(index, row));
        if result.is_err() {
            self.undo(index);
        }
        result
    }

    /// Removes the series that the last record added.
    pub(crate) fn undo(&mut self, index: &mut SeriesIndex) {
        for id in self.added.drain(..) {
            index.remove(id);
        }
    }

    fn look_up<'a>(
        &mut self,
        index: &mut SeriesIndex,
        max_series: usize,
        row: ValuesRef<'_>,
        values: impl Iterator<Item = (SeriesRef<'a>, Value)>,
    ) -> Result<(), BadRecord> {
        let Self { values: resolved, added, .. } = self;
        for (series, value) in values {
            match value {
                Value::Counter(count) => {
                    let guess = row.counters.get(resolved.counters.len()).map(|(id, _)| *id);
                    resolved.counters.push((id(index, max_series, added, guess, series)?, count));
                }
            }
        }
        Ok(())
    }

    fn check(&mut self, index: &SeriesIndex, row: ValuesRef<'_>) -> Result<(), BadRecord> {
        let (ValuesRef { counters: before }, ValuesBuf { counters: after }) = (row, &self.values);
        rules::counters_follow(before, after, &mut self.scratch.counters, |id| index.text(id))
    }
}

/// The number of a series, which is added if the index lacks it. A run's reports usually have the same series in the
/// same order, so that the row's number at the same place is the likely one.
fn id(
    index: &mut SeriesIndex,
    max_series: usize,
    added: &mut Vec<GroupId>,
    guess: Option<GroupId>,
    series: SeriesRef<'_>,
) -> Result<GroupId, BadRecord> {
    if let Some(id) = guess.filter(|id| index.is(*id, series)).or_else(|| index.find(series)) {
        return Ok(id);
    }
    let id = index.add(series, max_series)?;
    added.push(id);
    Ok(id)
}
