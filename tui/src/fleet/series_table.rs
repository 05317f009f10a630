use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quipu_record::{Aggregate, Series, SeriesRef};

use super::audit::{Audit, AuditPart, Finding};
use super::history::History;
use super::series::{ObservedSeries, ObservedTotal, SeriesId};

/// How many samples of each total are kept.
const HISTORY: usize = 200;

/// All series that were read, each stored once.
#[derive(Debug, Clone)]
pub(super) struct SeriesTable {
    ids: HashMap<Arc<Series>, SeriesId>,
    entries: Vec<ObservedSeries>,
    audits: BTreeMap<String, [Option<SeriesId>; 3]>,
    limit: usize,
}

impl SeriesTable {
    pub(super) fn new(limit: usize) -> Self {
        Self { ids: HashMap::new(), entries: Vec::new(), audits: BTreeMap::new(), limit }
    }

    /// Returns the id of a series, which is added if it is new; `None` if the table is full.
    pub(super) fn intern(&mut self, series: SeriesRef<'_>) -> Option<SeriesId> {
        let series = series.to_series();
        if let Some(id) = self.ids.get(&series) {
            return Some(*id);
        }
        if self.entries.len() >= self.limit {
            return None;
        }
        let id = SeriesId(u32::try_from(self.entries.len()).ok()?);
        if let Some((part, audit)) = AuditPart::of(&series) {
            self.audits.entry(audit.to_owned()).or_default()[part as usize] = Some(id);
        }
        let series = Arc::new(series);
        self.ids.insert(Arc::clone(&series), id);
        let text = series.to_string();
        self.entries.push(ObservedSeries {
            id,
            series,
            text,
            total: None,
            history: History::new(HISTORY),
            reporters: 0,
            counted_at: None,
        });
        Some(id)
    }

    /// Applies an aggregate. Returns false if the table is full.
    pub(super) fn observe(&mut self, aggregate: &Aggregate) -> bool {
        // The series is usually in the table already; then it is not copied.
        let Some(id) = self.find(&aggregate.series).or_else(|| self.intern(aggregate.series.as_ref())) else {
            return false;
        };
        let Aggregate { total, timestamp, offset, instances, .. } = aggregate;
        let (timestamp, offset) = (timestamp.0, offset.0);
        let total = ObservedTotal { total: total.clone(), timestamp, offset, instances: *instances };
        let entry = self.get_mut(id);
        entry.history.push(timestamp, total.count());
        entry.total = Some(total);
        true
    }

    pub(super) fn find(&self, series: &Series) -> Option<SeriesId> {
        self.ids.get(series).copied()
    }

    pub(super) fn has(&self, id: SeriesId) -> bool {
        self.entries.len() > id.0 as usize
    }

    pub(super) fn get(&self, id: SeriesId) -> &ObservedSeries {
        &self.entries[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: SeriesId) -> &mut ObservedSeries {
        &mut self.entries[id.0 as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ObservedSeries> {
        self.entries.iter()
    }

    /// Returns the audits, sorted by name; `finding` returns the result of the last check of an audit.
    pub(super) fn audits(&self, finding: impl Fn(&str) -> Finding) -> impl Iterator<Item = Audit<'_>> {
        self.audits.iter().map(move |(name, parts)| {
            let [sent, processed, delta] = parts.map(|id| id.map(|id| self.get(id)));
            let Finding { jitter, lowest, .. } = finding(name);
            Audit { name, sent, processed, delta, jitter, lowest }
        })
    }

    /// Clears what is known of the reporting runs, because the topic of the reports was replaced.
    pub(super) fn clear_reporters(&mut self) {
        for entry in &mut self.entries {
            entry.reporters = 0;
            entry.counted_at = None;
        }
    }

    /// Clears the totals, because their topic was replaced.
    pub(super) fn clear_totals(&mut self) {
        for entry in &mut self.entries {
            entry.total = None;
            entry.history = History::new(HISTORY);
        }
    }
}
