use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::history::History;
use super::run::RunId;
use super::series::SeriesId;

/// How many samples each line keeps.
const HISTORY: usize = 120;

/// The history of each run's count of each series: the thin lines of the chart.
///
/// A fleet may have a million lines, so their number is limited. Beyond the limit, only the lines of the series in focus
/// are kept.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    limit: usize,
    focus: Option<SeriesId>,
    kept: HashMap<(SeriesId, RunId), Line>,
}

#[derive(Debug, Clone)]
struct Line {
    history: History,
    /// Whether the line is beyond the limit; such a line is dropped when the focus moves.
    is_borrowed: bool,
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, focus: None, kept: HashMap::new() }
    }

    pub(super) fn get(&self, series: SeriesId, run: RunId) -> Option<&History> {
        self.kept.get(&(series, run)).map(|line| &line.history)
    }

    /// Moves the focus. Returns whether the focus changed.
    pub(super) fn focus(&mut self, series: Option<SeriesId>) -> bool {
        let moved = self.focus != series;
        if moved {
            self.kept.retain(|_, line| !line.is_borrowed);
            self.focus = series;
        }
        moved
    }

    /// Adds a sample, unless the line is new and beyond the limit.
    pub(super) fn push(&mut self, series: SeriesId, run: RunId, at: i64, count: u128) {
        let is_full = self.kept.len() >= self.limit;
        let line = match self.kept.entry((series, run)) {
            Entry::Occupied(line) => line.into_mut(),
            Entry::Vacant(_) if is_full && self.focus != Some(series) => return,
            Entry::Vacant(line) => line.insert(Line { history: History::new(HISTORY), is_borrowed: is_full }),
        };
        line.history.push(at, i128::try_from(count).unwrap_or(i128::MAX));
    }

    pub(super) fn remove(&mut self, run: RunId) {
        self.kept.retain(|(_, id), _| *id != run);
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}
