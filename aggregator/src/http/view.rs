use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use quipu_record::{Aggregate, Millis, Offset, Series, Total};

/// How many totals are copied at once. A task that has just committed waits for as long.
pub(crate) const PAGE: usize = 10_000;

/// The totals of the last commit, for HTTP.
///
/// Readers copy a page at a time, so that the task never waits for a slow client.
#[derive(Debug, Clone, Default)]
pub(crate) struct View(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    ready: bool,
    position: Offset,
    totals: BTreeMap<Arc<Series>, Published>,
}

/// The newest aggregate of a series, without the series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) total: Total,
    timestamp: Millis,
    offset: Offset,
    instances: u64,
}

/// A series and its newest aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) series: Arc<Series>,
    pub(crate) published: Published,
    /// Whether its name ends in `_total` and there is a series of the name before it.
    pub(crate) is_clash: bool,
}

impl Entry {
    pub(crate) fn to_aggregate(&self) -> Aggregate {
        let Published { total, timestamp, offset, instances } = self.published.clone();
        Aggregate { series: Series::clone(&self.series), total, timestamp, offset, instances }
    }
}

/// A part of the totals, sorted by name and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The next source offset after the totals.
    pub(crate) position: Offset,
    pub(crate) entries: Vec<Entry>,
    /// Whether there are more after the last.
    pub(crate) more: bool,
}

impl View {
    /// Takes over totals that were committed, of which the next source offset is `position`, and forgets those of
    /// `removed` series, whose zero was published. The first call after [`clear`](Self::clear) brings all.
    pub(crate) fn update(&self, position: Offset, aggregates: &[Aggregate], removed: &[Series]) {
        let mut state = self.write();
        state.ready = true;
        state.position = position;
        for aggregate in aggregates {
            let Aggregate { series, total, timestamp, offset, instances } = aggregate;
            let (timestamp, offset, instances) = (*timestamp, *offset, *instances);
            let published = Published { total: total.clone(), timestamp, offset, instances };
            if let Some(entry) = state.totals.get_mut(series) {
                *entry = published;
            } else {
                state.totals.insert(Arc::new(series.clone()), published);
            }
        }
        for series in removed {
            state.totals.remove(series);
        }
    }

    /// Forgets the totals: another process has the partition, or the table is being restored.
    pub(crate) fn clear(&self) {
        *self.write() = State::default();
    }

    /// The next source offset after the totals, if they are all here, and how many there are.
    pub(crate) fn position(&self) -> Option<(Offset, usize)> {
        let state = self.read();
        state.ready.then(|| (state.position, state.totals.len()))
    }

    /// The next source offset, and the counts of these series, all of one commit; nothing while the totals are not all
    /// here.
    pub(crate) fn counts(&self, series: &[Option<Series>]) -> Option<(Offset, Vec<Option<i128>>)> {
        let state = self.read();
        let count = |series: &Option<Series>| {
            let (Total::Counter(count) | Total::Delta(count)) = state.totals.get(series.as_ref()?)?.total;
            Some(count)
        };
        state.ready.then(|| (state.position, series.iter().map(count).collect()))
    }

    /// At most `limit` totals from `from` on; nothing while they are not all here.
    pub(crate) fn page(&self, from: Bound<&Series>, limit: usize) -> Option<Page> {
        let state = self.read();
        if !state.ready {
            return None;
        }
        let mut rest = state.totals.range::<Series, _>((from, Bound::Unbounded));
        let entries: Vec<_> = rest
            .by_ref()
            .take(limit)
            .map(|(series, published)| Entry {
                series: Arc::clone(series),
                published: published.clone(),
                is_clash: series.name().strip_suffix("_total").is_some_and(|base| state.has_name(base)),
            })
            .collect();
        Some(Page { position: state.position, entries, more: rest.next().is_some() })
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_name(&self, name: &str) -> bool {
        let Ok(first) = Series::new(name, [("", ""); 0]) else {
            return false;
        };
        self.totals.range::<Series, _>(&first..).next().is_some_and(|(series, _)| series.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::total;
    use super::*;

    fn names(page: &Page) -> Vec<String> {
        page.entries.iter().map(|entry| entry.series.to_string()).collect()
    }

    #[test]
    fn nothing_is_shown_before_everything_is_there() {
        let view = View::default();
        assert_eq!((view.position(), view.page(Bound::Unbounded, 9)), (None, None));
        view.update(Offset(7), &[], &[]);
        assert_eq!(view.position(), Some((Offset(7), 0)));
        view.update(Offset(9), &[total("a", 1)], &[]);
        view.clear();
        assert_eq!((view.position(), view.page(Bound::Unbounded, 9)), (None, None));
    }

    #[test]
    fn pages_go_by_name_and_labels_and_a_removed_series_is_not_shown() {
        let view = View::default();
        view.update(
            Offset(1),
            &[total("b", 1), total(r#"a{k="2"}"#, 1), total("a", 1), total("aa", 1), total(r#"a{k="1"}"#, 1)],
            &[],
        );
        // A delta that is zero when all have left is no removal.
        let zero = |key| Aggregate { instances: 0, ..total(key, 0) };
        view.update(Offset(2), &[zero("b"), zero("c"), total("aa", 5)], &[total("b", 0).series]);
        let page = view.page(Bound::Unbounded, 3).expect("ready");
        assert_eq!((names(&page), page.more), (vec!["a".to_owned(), r#"a{k="1"}"#.into(), r#"a{k="2"}"#.into()], true));
        let page = view.page(Bound::Excluded(&page.entries[2].series), 3).expect("ready");
        assert_eq!((names(&page), page.more), (vec!["aa".to_owned(), "c".into()], false));
        assert_eq!(page.entries[0].to_aggregate(), total("aa", 5));
    }

    #[test]
    fn a_name_and_the_same_with_total_at_its_end_are_a_clash() {
        let view = View::default();
        view.update(
            Offset(1),
            &[total(r#"a{k="1"}"#, 1), total("a_total", 1), total("b_total", 1), total("_total", 1)],
            &[],
        );
        let page = view.page(Bound::Unbounded, 9).expect("ready");
        let clashes: Vec<_> = page.entries.iter().filter(|entry| entry.is_clash).collect();
        assert_eq!(clashes.len(), 1);
        assert_eq!(clashes[0].series.name(), "a_total");
    }
}
