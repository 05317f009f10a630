//! From the series in a record to their numbers, and whether the counters may follow those of the row.

use quipu_record::{BadRecord, SeriesRef};

use crate::reduce::GroupId;
use crate::row::Counter;
use crate::series_index::SeriesIndex;

/// Memory that is used again for every record.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The record's counters, in its order.
    pub(crate) counters: Vec<Counter>,
    sorted: Vec<Counter>,
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
        row: &[Counter],
        counters: impl Iterator<Item = (SeriesRef<'a>, u64)>,
    ) -> Result<(), BadRecord> {
        self.counters.clear();
        self.added.clear();
        let result = self.look_up(index, max_series, row, counters).and_then(|()| self.check(index, row));
        if result.is_err() {
            self.undo(index);
        }
        result
    }

    /// Takes back the series that the last record added.
    pub(crate) fn undo(&mut self, index: &mut SeriesIndex) {
        for id in self.added.drain(..) {
            index.remove(id);
        }
    }

    fn look_up<'a>(
        &mut self,
        index: &mut SeriesIndex,
        max_series: usize,
        row: &[Counter],
        counters: impl Iterator<Item = (SeriesRef<'a>, u64)>,
    ) -> Result<(), BadRecord> {
        for (at, (series, value)) in counters.enumerate() {
            let id = match row.get(at) {
                // The usual case: a run's reports have the same series in the same order.
                Some((id, _)) if index.is(*id, series) => *id,
                _ => {
                    if let Some(id) = index.find(series) {
                        id
                    } else {
                        let id = index.add(series, max_series)?;
                        self.added.push(id);
                        id
                    }
                }
            };
            self.counters.push((id, value));
        }
        Ok(())
    }

    /// No series twice; none of the row's missing; none lower than in the row.
    fn check(&mut self, index: &SeriesIndex, row: &[Counter]) -> Result<(), BadRecord> {
        let went_back = |id: GroupId, before: u64, after: u64| {
            Err(BadRecord::CounterWentBack { series: index.text(id), before, after })
        };
        let same_order = row.len() == self.counters.len()
            && row.iter().zip(&self.counters).all(|((before, _), (after, _))| before == after);
        if same_order {
            let lower = row.iter().zip(&self.counters).find(|((_, before), (_, after))| after < before);
            return lower.map_or(Ok(()), |((id, before), (_, after))| went_back(*id, *before, *after));
        }
        self.sorted.clear();
        self.sorted.extend_from_slice(&self.counters);
        self.sorted.sort_unstable_by_key(|(id, _)| *id);
        if let Some(pair) = self.sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(BadRecord::DuplicateSeries(index.text(pair[0].0)));
        }
        for (id, before) in row {
            match self.sorted.binary_search_by_key(id, |(id, _)| *id) {
                Ok(at) if self.sorted[at].1 < *before => return went_back(*id, *before, self.sorted[at].1),
                Ok(_) => {}
                Err(_) => return Err(BadRecord::SeriesVanished { series: index.text(*id) }),
            }
        }
        Ok(())
    }
}
