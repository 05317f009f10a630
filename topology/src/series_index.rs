use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};
use quipu_record::{BadRecord, Series, SeriesRef, limits};

use crate::reduce::GroupId;

/// Gives every series a small number, so that rows need not carry its text.
#[derive(Debug, Default)]
pub(crate) struct SeriesIndex {
    ids: HashTable<GroupId>,
    series: Vec<Option<Series>>,
    free: Vec<GroupId>,
    hasher: DefaultHashBuilder,
}

impl SeriesIndex {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn get(&self, id: GroupId) -> Option<&Series> {
        self.series.get(id.index())?.as_ref()
    }

    /// Whether `id` is the number of `series`: cheaper than to look the series up.
    pub(crate) fn is(&self, id: GroupId, series: SeriesRef<'_>) -> bool {
        self.get(id).is_some_and(|found| found.as_ref() == series)
    }

    pub(crate) fn text(&self, id: GroupId) -> String {
        self.get(id).map(ToString::to_string).unwrap_or_default()
    }

    pub(crate) fn find(&self, series: SeriesRef<'_>) -> Option<GroupId> {
        self.ids.find(self.hasher.hash_one(series), |id| self.is(*id, series)).copied()
    }

    /// Adds a series that is not there yet, unless there are `max` already.
    pub(crate) fn add(&mut self, series: SeriesRef<'_>, max: usize) -> Result<GroupId, BadRecord> {
        if series.name().starts_with(limits::RESERVED_PREFIX) {
            return Err(BadRecord::ReservedName { series: series.to_string() });
        }
        if self.len() >= max {
            return Err(BadRecord::OverCapacity { what: "series", limit: max, option: "limits.max_series" });
        }
        let owned = Some(series.to_series());
        let id = if let Some(id) = self.free.pop() {
            self.series[id.index()] = owned;
            id
        } else {
            self.series.push(owned);
            GroupId::new(self.series.len() - 1)
        };
        let Self { ids, series: indexed, hasher, .. } = self;
        let hash = |id: &GroupId| hasher.hash_one(indexed[id.index()].as_ref().map_or(series, Series::as_ref));
        ids.insert_unique(hasher.hash_one(series), id, hash);
        Ok(id)
    }

    /// Forgets a series, and gives it; its number may be given to another.
    pub(crate) fn remove(&mut self, id: GroupId) -> Option<Series> {
        let series = self.series.get_mut(id.index()).and_then(Option::take)?;
        if let Ok(entry) = self.ids.find_entry(self.hasher.hash_one(series.as_ref()), |other| *other == id) {
            entry.remove();
        }
        self.free.push(id);
        Some(series)
    }
}
