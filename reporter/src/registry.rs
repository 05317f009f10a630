//! The series of a process, and which metrics key belongs to which counter.

mod lookup;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64 as Total, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Counter, CounterFn, Key};
use quipu_record::{BadRecord, CounterPrefix, RangesPrefix, Series, limits};

use crate::processed::PartitionCell;
use crate::stats::Stats;
use crate::warned::Warned;
pub(crate) use lookup::Cell;
use lookup::Lookup;

/// A series that is not in a part yet.
#[derive(Debug)]
pub(crate) enum NewSeries {
    Counter { prefix: CounterPrefix, cell: Cell },
    Ranges { prefix: RangesPrefix, partition: Arc<PartitionCell>, most: usize },
}

impl NewSeries {
    /// The most bytes that the series takes in a report.
    pub(crate) fn value_bytes(&self) -> usize {
        match self {
            Self::Counter { prefix, .. } => prefix.counter_bytes(),
            Self::Ranges { prefix, most, .. } => prefix.value_bytes(*most),
        }
    }
}

/// The limits of a registry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The maximum number of series.
    pub(crate) series: usize,
    /// The maximum size of one value in a report, in bytes.
    pub(crate) value_bytes: usize,
}

/// All counters of a process.
///
/// [`Lookup`] finds a key that was used before, under a shared lock. The catalogue behind it decides which keys are the
/// same series; it is used once for each key.
pub(crate) struct Registry {
    lookup: Lookup,
    catalogue: Mutex<Catalogue>,
    global_labels: BTreeMap<String, String>,
    bounds: Bounds,
    refused: Arc<Refused>,
    refused_registrations: Total,
    refused_names: Warned,
    unsupported_registrations: Total,
    unsupported_names: Warned,
}

#[derive(Default)]
struct Catalogue {
    series: HashMap<Series, Cell>,
    ranges: HashMap<Series, (Arc<PartitionCell>, usize)>,
    new: Vec<NewSeries>,
}

/// The counter that is returned for a refused series, so that the lost counts are themselves counted.
#[derive(Default)]
struct Refused(Total);

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Bad(#[from] BadRecord),
    #[error("there are {limit} series already: raise max_series, or use fewer label values")]
    TooManySeries { limit: usize },
    #[error("it takes {bytes} bytes in a report, which is too much: raise max_record_bytes")]
    TooLarge { bytes: usize },
}

impl Registry {
    pub(crate) fn new(global_labels: BTreeMap<String, String>, bounds: Bounds) -> Self {
        Self {
            // Several keys can be one series (an empty label value, a label that repeats a global one).
            lookup: Lookup::new(bounds.series.saturating_mul(2)),
            catalogue: Mutex::default(),
            global_labels,
            bounds,
            refused: Arc::default(),
            refused_registrations: Total::new(0),
            refused_names: Warned::default(),
            unsupported_registrations: Total::new(0),
            unsupported_names: Warned::default(),
        }
    }

    /// The counter of `key`; all keys of the same series share one.
    pub(crate) fn counter(&self, key: &Key) -> Counter {
        if let Some(cell) = self.lookup.get(key) {
            return Counter::from_arc(cell);
        }
        match self.register(key) {
            Ok(cell) => Counter::from_arc(cell),
            Err(refusal) => {
                self.refused_registrations.fetch_add(1, Ordering::Relaxed);
                if self.refused_names.first(key.name()) {
                    tracing::warn!(metric = key.name(), reason = %refusal, "a counter is not reported");
                }
                Counter::from_arc(Arc::clone(&self.refused))
            }
        }
    }

    /// The partition of ranges with these labels. Global labels are not added: the ledger compares the ranges of all runs,
    /// so what differs between runs must not be in the series.
    pub(crate) fn ranges(&self, name: &str, labels: Vec<(&str, String)>) -> Arc<PartitionCell> {
        let series = Series::new(name, labels).map_err(Refusal::Bad);
        series.and_then(|series| self.catalogue().ranges(series, self.bounds)).unwrap_or_else(|refusal| {
            self.refused_registrations.fetch_add(1, Ordering::Relaxed);
            if self.refused_names.first(name) {
                tracing::warn!(name, reason = %refusal, "ranges are not reported");
            }
            Arc::new(PartitionCell::new(FEWEST_RANGES))
        })
    }

    /// Counts a registration of a metric whose kind is not published, and logs its name once.
    pub(crate) fn unsupported(&self, key: &Key, kind: &'static str) {
        self.unsupported_registrations.fetch_add(1, Ordering::Relaxed);
        if self.unsupported_names.first(key.name()) {
            tracing::warn!(metric = key.name(), kind, "only counters are reported; this metric is not");
        }
    }

    /// The series that were registered since the last call, in order of registration.
    pub(crate) fn take_new(&self) -> Vec<NewSeries> {
        std::mem::take(&mut self.catalogue().new)
    }

    /// Starts from zero in a forked child: every count is zero, no range is left, and every series is new.
    pub(crate) fn restart(&self) {
        let mut catalogue = self.catalogue();
        let Catalogue { series, ranges, new } = &mut *catalogue;
        new.clear();
        for (series, cell) in series {
            cell.store(0, Ordering::Release);
            new.push(NewSeries::Counter { prefix: CounterPrefix::new(series.as_ref()), cell: Arc::clone(cell) });
        }
        for (series, (partition, most)) in ranges {
            partition.restart(*most);
            let prefix = RangesPrefix::new(series.as_ref());
            new.push(NewSeries::Ranges { prefix, partition: Arc::clone(partition), most: *most });
        }
    }

    pub(crate) fn fill(&self, stats: &mut Stats) {
        stats.series = self.catalogue().len();
        stats.refused_registrations = self.refused_registrations.load(Ordering::Relaxed);
        stats.refused_counts = self.refused.0.load(Ordering::Relaxed);
        stats.unsupported_registrations = self.unsupported_registrations.load(Ordering::Relaxed);
    }

    fn register(&self, key: &Key) -> Result<Cell, Refusal> {
        let series = self.series(key)?;
        let cell = self.catalogue().cell(series, self.bounds)?;
        // `metrics` considers keys equal that differ only in the order of their labels. If a label occurs twice, such
        // keys are different series, because the last one is used. So a key of that kind is never put into the lookup.
        let mut names = HashSet::new();
        if key.labels().all(|label| names.insert(label.key())) {
            self.lookup.insert(key, &cell);
        }
        Ok(cell)
    }

    /// The series of a key. The key's labels override the global ones, and a later label overrides an earlier one.
    fn series(&self, key: &Key) -> Result<Series, BadRecord> {
        let global = self.global_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let labels: BTreeMap<_, _> = global.chain(key.labels().map(|label| (label.key(), label.value()))).collect();
        Series::new(key.name(), labels)
    }

    fn catalogue(&self) -> MutexGuard<'_, Catalogue> {
        self.catalogue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fewest ranges that a value may have. Where a report has no room for them, ranges are refused.
const FEWEST_RANGES: usize = 20;

impl Catalogue {
    fn len(&self) -> usize {
        self.series.len() + self.ranges.len()
    }

    fn ranges(&mut self, series: Series, bounds: Bounds) -> Result<Arc<PartitionCell>, Refusal> {
        if let Some((partition, _)) = self.ranges.get(&series) {
            return Ok(Arc::clone(partition));
        }
        if self.len() >= bounds.series {
            return Err(Refusal::TooManySeries { limit: bounds.series });
        }
        let prefix = RangesPrefix::new(series.as_ref());
        let most = prefix.ranges_in(bounds.value_bytes).min(limits::RANGES);
        if most < FEWEST_RANGES {
            return Err(Refusal::TooLarge { bytes: prefix.value_bytes(FEWEST_RANGES) });
        }
        let partition = Arc::new(PartitionCell::new(most));
        self.new.push(NewSeries::Ranges { prefix, partition: Arc::clone(&partition), most });
        self.ranges.insert(series, (Arc::clone(&partition), most));
        Ok(partition)
    }

    fn cell(&mut self, series: Series, bounds: Bounds) -> Result<Cell, Refusal> {
        if let Some(cell) = self.series.get(&series) {
            return Ok(Arc::clone(cell));
        }
        if self.len() >= bounds.series {
            return Err(Refusal::TooManySeries { limit: bounds.series });
        }
        let prefix = CounterPrefix::new(series.as_ref());
        let bytes = prefix.counter_bytes();
        if bytes > bounds.value_bytes {
            return Err(Refusal::TooLarge { bytes });
        }
        let cell = Cell::default();
        self.new.push(NewSeries::Counter { prefix, cell: Arc::clone(&cell) });
        self.series.insert(series, Arc::clone(&cell));
        Ok(cell)
    }
}

impl CounterFn for Refused {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    /// How much of an absolute count was lost is unknown, so nothing is added.
    fn absolute(&self, _: u64) {}
}

#[cfg(test)]
mod tests {
    use metrics::Label;

    use super::*;

    const BOUNDS: Bounds = Bounds { series: 100, value_bytes: 10_000 };

    fn registry(global: &[(&str, &str)], bounds: Bounds) -> Registry {
        Registry::new(global.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(), bounds)
    }

    fn key(name: &str, labels: &[(&str, &str)]) -> Key {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| Label::new((*name).to_owned(), (*value).to_owned())).collect();
        Key::from_parts(name.to_owned(), labels)
    }

    /// The counts by series, as text.
    fn counts(registry: &Registry) -> BTreeMap<String, u64> {
        let catalogue = registry.catalogue();
        catalogue.series.iter().map(|(series, cell)| (series.to_string(), cell.load(Ordering::Acquire))).collect()
    }

    fn stats(registry: &Registry) -> Stats {
        let mut stats = Stats::default();
        registry.fill(&mut stats);
        stats
    }

    #[test]
    fn keys_of_the_same_series_share_one_counter() {
        let registry = registry(&[("env", "prod")], BOUNDS);
        for _ in 0..2 {
            registry.counter(&key("a", &[("x", "1"), ("y", "2")])).increment(1);
            registry.counter(&key("a", &[("y", "2"), ("x", "1")])).increment(1);
            registry.counter(&key("a", &[("y", "2"), ("x", "1"), ("none", "")])).increment(1);
            registry.counter(&key("a", &[("y", "2"), ("x", "1"), ("env", "prod")])).increment(1);
        }
        assert_eq!(counts(&registry), BTreeMap::from([(r#"a{env="prod",x="1",y="2"}"#.to_owned(), 8)]));
        assert_eq!(registry.take_new().len(), 1);
    }

    #[test]
    fn a_metric_s_own_label_overrides_the_global_one() {
        let registry = registry(&[("env", "prod")], BOUNDS);
        registry.counter(&key("a", &[("env", "test")])).increment(1);
        registry.counter(&key("b", &[("env", "")])).increment(2);
        assert_eq!(counts(&registry), BTreeMap::from([(r#"a{env="test"}"#.to_owned(), 1), ("b".to_owned(), 2)]));
    }

    #[test]
    fn the_last_of_two_labels_of_one_name_is_used() {
        let registry = registry(&[], BOUNDS);
        for _ in 0..2 {
            registry.counter(&key("a", &[("x", "1"), ("x", "2")])).increment(1);
            registry.counter(&key("a", &[("x", "2"), ("x", "1")])).increment(10);
        }
        let expected = BTreeMap::from([(r#"a{x="2"}"#.to_owned(), 2), (r#"a{x="1"}"#.to_owned(), 20)]);
        assert_eq!(counts(&registry), expected);
    }

    #[test]
    fn series_over_a_limit_are_refused_and_counted() {
        let registry = registry(&[], Bounds { series: 2, value_bytes: 400 });
        registry.counter(&key("", &[])).increment(1);
        registry.counter(&key(&"n".repeat(256), &[])).increment(10);
        registry.counter(&key("large", &[("x", &"y".repeat(500))])).increment(100);
        registry.counter(&key("a", &[])).increment(5);
        registry.counter(&key("b", &[])).increment(5);
        registry.counter(&key("c", &[])).increment(1000);
        registry.counter(&key("c", &[])).increment(1000);
        registry.counter(&key("c", &[])).absolute(7);

        assert_eq!(counts(&registry), BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 5)]));
        let stats = stats(&registry);
        assert_eq!((stats.series, stats.refused_registrations, stats.refused_counts), (2, 6, 2111));
    }

    #[test]
    fn aliases_of_a_series_keep_counting_in_bounded_memory() {
        let registry = registry(&[], Bounds { series: 2, ..BOUNDS });
        for n in 0..50 {
            registry.counter(&key("a", &[(&n.to_string(), "")])).increment(1);
        }
        assert_eq!(counts(&registry), BTreeMap::from([("a".to_owned(), 50)]));
        assert_eq!(registry.lookup.len(), 4);
    }

    #[test]
    fn after_a_restart_every_series_is_new_and_zero_and_handles_still_count() {
        let registry = registry(&[], BOUNDS);
        let handle = registry.counter(&key("a", &[]));
        handle.increment(7);
        registry.counter(&key("b", &[])).increment(7);
        registry.take_new();

        registry.restart();
        handle.increment(1);

        assert_eq!(counts(&registry), BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 0)]));
        assert_eq!(registry.take_new().len(), 2);
    }
}
