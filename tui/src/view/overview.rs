use quipu_record::AggregateType;
use serde::Serialize;

use super::chart::Chart;
use crate::app::{App, Scope, SeriesColumn, order};
use crate::fleet::{ObservedTotal, SeriesId};
use crate::name::Name;

/// The number of steps of a sparkline.
const TREND: usize = 24;

/// The throughput of the selected series, and the table of series.
#[derive(Debug)]
pub struct OverviewView {
    /// The chart of the selected series; `None` without a series.
    pub chart: Option<Chart>,
    /// The visible rows.
    pub rows: Vec<SeriesRow>,
    /// How many rows are above the visible ones.
    pub above: usize,
    /// How many rows there are with this filter.
    pub count: usize,
    /// How many series there are without a filter.
    pub all: usize,
    /// How many series of Quipu itself the filter allows and the table does not list.
    pub hidden: usize,
    /// The filter, empty if there is none.
    pub filter: Name,
    /// The column by which the table is sorted.
    pub sort: SeriesColumn,
    /// Whether the order is reversed.
    pub is_reversed: bool,
}

/// A row of the table of series.
#[derive(Debug, Serialize)]
pub struct SeriesRow {
    /// The series as text.
    pub series: Name,
    /// The type of the total; `None` before the first aggregate.
    #[serde(rename = "type")]
    pub kind: Option<AggregateType>,
    /// The total; `None` before the first aggregate.
    pub total: Option<i128>,
    /// The change per second; `None` without data.
    pub rate: Option<f64>,
    /// How many live runs contribute.
    pub instances: u64,
    /// The event time of the total, in ms.
    pub timestamp: Option<i64>,
    /// The rates over the time span, from left to right.
    #[serde(skip)]
    pub trend: Vec<Option<f64>>,
    /// Whether the row is selected.
    #[serde(skip)]
    pub is_selected: bool,
}

/// Returns the overview with at most `page` rows. Without `own`, it leaves out the series of Quipu itself.
#[must_use]
pub fn overview(app: &App, scope: Scope<'_>, page: usize, own: bool) -> OverviewView {
    let order = order::series(scope, &app.series, own);
    let selected = order.get(app.series.position(&order)).copied();
    let window = app.series.window(&order, page);
    OverviewView {
        chart: selected.map(|id| Chart::new(app, scope, id, usize::from(app.size.0) * 2)),
        above: window.start,
        rows: order[window].iter().map(|id| row(app, scope, *id, Some(*id) == selected)).collect(),
        count: order.len(),
        all: scope.fleet.series().filter(|series| own || !series.is_own()).count(),
        hidden: scope
            .fleet
            .series()
            .filter(|series| !own && series.is_own() && app.series.filter.allows(series.text()))
            .count(),
        filter: Name::new(app.series.filter.text()),
        sort: app.series.sort,
        is_reversed: app.series.is_reversed,
    }
}

fn row(app: &App, scope: Scope<'_>, id: SeriesId, is_selected: bool) -> SeriesRow {
    let series = scope.fleet.get(id);
    let total = series.total();
    SeriesRow {
        series: Name::new(series.text()),
        kind: total.map(|observed| observed.total.kind()),
        total: total.map(ObservedTotal::count),
        rate: scope.total_rate(series.history()),
        instances: order::contributors(series),
        timestamp: total.map(|total| total.timestamp),
        trend: scope.total_rates(series.history(), app.span(), TREND),
        is_selected,
    }
}
