//! Sorts and filters the rows of the tables.

use std::cmp::Ordering;

use super::Scope;
use super::filter::Filter;
use super::list::List;
use crate::fleet::{ObservedSeries, ObservedTotal, Run, RunId, RunState, SeriesId};

/// A column of the table of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesColumn {
    /// The series' text; Quipu's own series come last.
    Name,
    /// The total.
    Total,
    /// The change per second.
    Rate,
    /// How many instances contribute.
    Instances,
}

/// A column of the table of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunColumn {
    /// The state; states that need attention come first.
    State,
    /// The instance's name.
    Instance,
    /// When the run started.
    Started,
    /// When the run last reported.
    LastReport,
    /// The run's count of the selected series.
    Count,
    /// The change of that count per second.
    Rate,
}

impl SeriesColumn {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Name => Self::Total,
            Self::Total => Self::Rate,
            Self::Rate => Self::Instances,
            Self::Instances => Self::Name,
        }
    }

    /// Returns the head of the column.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Name => "SERIES",
            Self::Total => "TOTAL",
            Self::Rate => "RATE/s",
            Self::Instances => "INST",
        }
    }
}

impl RunColumn {
    pub(super) fn next(self) -> Self {
        match self {
            Self::State => Self::Instance,
            Self::Instance => Self::Started,
            Self::Started => Self::LastReport,
            Self::LastReport => Self::Count,
            Self::Count => Self::Rate,
            Self::Rate => Self::State,
        }
    }

    /// Returns the head of the column.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Instance => "INSTANCE",
            Self::Started => "STARTED",
            Self::LastReport => "REPORT",
            Self::Count => "COUNT",
            Self::Rate => "RATE/s",
        }
    }
}

/// Returns the series of a list in its order. Numbers are in descending order, names in ascending order. Without `own`,
/// the series of Quipu itself are left out.
pub(crate) fn series(scope: Scope<'_>, list: &List<SeriesId, SeriesColumn>, own: bool) -> Vec<SeriesId> {
    let mut rows: Vec<(&ObservedSeries, f64)> = scope
        .fleet
        .series()
        .filter(|series| is_listed(series, &list.filter, own))
        .map(|series| (series, if list.sort == SeriesColumn::Rate { rate(series, scope) } else { 0.0 }))
        .collect();
    let total = |series: &ObservedSeries| series.total().map(ObservedTotal::count);
    let instances = |series: &ObservedSeries| contributors(series);
    rows.sort_by(|(a, a_rate), (b, b_rate)| {
        let order = match list.sort {
            SeriesColumn::Name => Ordering::Equal,
            SeriesColumn::Total => total(b).cmp(&total(a)),
            SeriesColumn::Rate => b_rate.total_cmp(a_rate),
            SeriesColumn::Instances => instances(b).cmp(&instances(a)),
        };
        let order = order.then_with(|| (a.is_own(), a.text()).cmp(&(b.is_own(), b.text())));
        if list.is_reversed { order.reverse() } else { order }
    });
    rows.into_iter().map(|(series, _)| series.id()).collect()
}

/// Returns whether a series is listed with a filter.
pub(crate) fn is_listed(series: &ObservedSeries, filter: &Filter, own: bool) -> bool {
    (own || !series.is_own()) && filter.allows(series.text())
}

/// Returns the runs of a list in its order. `of` is the selected series; with `only`, runs that do not count it are left
/// out.
pub(crate) fn runs<'a>(
    scope: Scope<'a>,
    list: &List<RunId, RunColumn>,
    of: Option<SeriesId>,
    only: bool,
) -> Vec<&'a Run> {
    let mut rows: Vec<(&Run, Option<u128>, f64)> = scope
        .fleet
        .runs()
        .filter(|run| list.filter.allows(run.instance()))
        .filter_map(|run| {
            let count = of.and_then(|series| run.count(series));
            (count.is_some() || !only)
                .then(|| (run, count, of.and_then(|series| scope.run_rate(run.id(), series)).unwrap_or(-1.0)))
        })
        .collect();
    rows.sort_by(|(a, a_count, a_rate), (b, b_count, b_rate)| {
        let order = match list.sort {
            RunColumn::State => attention(a.state()).cmp(&attention(b.state())),
            RunColumn::Instance => Ordering::Equal,
            RunColumn::Started => b.started().cmp(&a.started()),
            RunColumn::LastReport => b.last_report().cmp(&a.last_report()),
            RunColumn::Count => b_count.cmp(a_count),
            RunColumn::Rate => b_rate.total_cmp(a_rate),
        };
        let order = order.then_with(|| (a.instance(), b.started(), a.id()).cmp(&(b.instance(), a.started(), b.id())));
        if list.is_reversed { order.reverse() } else { order }
    });
    rows.into_iter().map(|(run, ..)| run).collect()
}

/// Returns how many live runs contribute according to the aggregate; without an aggregate, how many runs report the
/// series.
pub(crate) fn contributors(series: &ObservedSeries) -> u64 {
    series.total().map_or_else(|| u64::from(series.reporters()), |total| total.instances)
}

fn rate(series: &ObservedSeries, scope: Scope<'_>) -> f64 {
    scope.total_rate(series.history()).unwrap_or(f64::NEG_INFINITY)
}

fn attention(state: RunState) -> u8 {
    match state {
        RunState::Silent => 0,
        RunState::Live => 1,
        RunState::Idle => 2,
        RunState::Restarted => 3,
        RunState::Left => 4,
    }
}
