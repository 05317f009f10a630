//! A small number for every series, so that rows don't hold its text.

use std::collections::HashMap;

use quipu_record::{Series, SeriesRef};

/// The number of a series in [`Names`].
pub(crate) type SeriesId = usize;

/// All series seen so far, with a number for each.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: HashMap<Series, SeriesId>,
    series: Vec<Series>,
}

impl Names {
    /// Returns the number of a series. If `guess` is that number, the lookup is saved.
    pub(crate) fn id(&mut self, series: SeriesRef<'_>, guess: Option<SeriesId>) -> SeriesId {
        if let Some(id) = guess
            && self.series[id].as_ref() == series
        {
            return id;
        }
        let next = self.series.len();
        let series = series.to_series();
        *self.ids.entry(series).or_insert_with_key(|series| {
            self.series.push(series.clone());
            next
        })
    }

    pub(crate) fn find(&self, series: &Series) -> Option<SeriesId> {
        self.ids.get(series).copied()
    }

    /// The number of series.
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    pub(crate) fn get(&self, id: SeriesId) -> &Series {
        &self.series[id]
    }
}
