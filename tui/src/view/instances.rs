use serde::Serialize;

use crate::app::{App, RunColumn, Scope};
use crate::fleet::{Run, RunState, SeriesId};
use crate::name::Name;

/// Instances whose state changed within this time are marked.
const LATELY_MS: i64 = 30_000;
/// The number of steps of a sparkline.
const TREND: usize = 48;

/// The table of instances.
#[derive(Debug, Serialize)]
pub struct InstancesView {
    /// The selected series, whose counts are shown.
    pub series: Option<Name>,
    /// The visible rows.
    pub rows: Vec<InstanceRow>,
    /// Whether only the instances that count the series are listed.
    #[serde(skip)]
    pub is_drilled: bool,
    /// What the listed counts leave of the total; only if the instances that count the series are listed.
    #[serde(skip)]
    pub others: Option<i128>,
    /// How many rows are above the visible ones.
    #[serde(skip)]
    pub above: usize,
    /// How many rows there are with this filter.
    #[serde(skip)]
    pub count: usize,
    /// The filter, empty if there is none.
    #[serde(skip)]
    pub filter: Name,
    /// The column by which the table is sorted.
    #[serde(skip)]
    pub sort: RunColumn,
    /// Whether the order is reversed.
    #[serde(skip)]
    pub is_reversed: bool,
    /// The time to which ages refer, in ms by the brokers' clock.
    #[serde(skip)]
    pub now: i64,
}

/// A row of the table of instances.
#[derive(Debug, Serialize)]
pub struct InstanceRow {
    /// The name of the instance, or the plain key.
    pub instance: Name,
    /// The UUID of the run; `None` for a plain key.
    pub run: Option<String>,
    /// The state of the run.
    pub state: RunState,
    /// When the run started, in ms.
    pub started: i64,
    /// When the run last reported, in ms.
    pub last_report: i64,
    /// The run's count of the series; `None` if the run does not count it.
    pub count: Option<u128>,
    /// The change of that count per second.
    pub rate: Option<f64>,
    /// The count as a part of the sum over all runs.
    pub share: Option<f64>,
    /// The rates over the time span, from left to right.
    #[serde(skip)]
    pub trend: Vec<Option<f64>>,
    /// Whether the state changed recently.
    pub changed_lately: bool,
    /// Whether the row is selected.
    #[serde(skip)]
    pub is_selected: bool,
}

/// The details of an instance, with its full name.
#[derive(Debug)]
pub(super) struct Details {
    /// The values that the table also shows.
    pub(super) row: InstanceRow,
    /// How often the run reports while its counters change, in ms; 0 for a plain key.
    pub(super) interval: i64,
    /// How many series the run counts.
    pub(super) series: usize,
    /// The selected series, whose count is shown.
    pub(super) selected: Option<Name>,
    /// The time to which ages refer, in ms by the brokers' clock.
    pub(super) now: i64,
}

/// Returns the table of instances with at most `page` rows.
#[must_use]
pub fn instances(app: &App, scope: Scope<'_>, page: usize) -> InstancesView {
    let series = app.selected_series(scope);
    let runs = app.listed_runs(scope);
    let order: Vec<_> = runs.iter().map(|run| run.id()).collect();
    let position = app.runs.position(&order);
    let window = app.runs.window(&order, page);
    let all = series.map(|series| counted(scope, series));
    let rows = window.clone().map(|index| row(app, scope, runs[index], series, all, index == position)).collect();
    InstancesView {
        series: series.map(|id| Name::new(scope.fleet.get(id).text())),
        rows,
        is_drilled: app.is_drilled,
        others: app
            .others
            .filter(|(id, others)| app.is_drilled && Some(*id) == series && *others != 0)
            .map(|(_, others)| others),
        above: window.start,
        count: order.len(),
        filter: Name::new(app.runs.filter.text()),
        sort: app.runs.sort,
        is_reversed: app.runs.is_reversed,
        now: scope.fleet_now,
    }
}

impl Details {
    /// Returns the details of the selected instance; `None` if it does not exist any more.
    pub(super) fn new(app: &App, scope: Scope<'_>) -> Option<Self> {
        let series = app.selected_series(scope);
        let run = scope.fleet.runs().find(|run| Some(run.id()) == app.runs.selected())?;
        let all = series.map(|series| counted(scope, series));
        Some(Self {
            row: row(app, scope, run, series, all, true),
            interval: run.interval(),
            series: run.counts().count(),
            selected: series.map(|id| Name::new(scope.fleet.get(id).text())),
            now: scope.fleet_now,
        })
    }
}

/// Returns the sum of the counts of a series over all runs.
fn counted(scope: Scope<'_>, series: SeriesId) -> u128 {
    scope.fleet.runs().filter_map(|run| run.count(series)).sum()
}

fn row(
    app: &App,
    scope: Scope<'_>,
    run: &Run,
    series: Option<SeriesId>,
    all: Option<u128>,
    is_selected: bool,
) -> InstanceRow {
    let line = series.and_then(|series| scope.fleet.line(series, run.id()));
    let count = series.and_then(|series| run.count(series));
    InstanceRow {
        instance: Name::new(run.instance()),
        run: run.run().map(|run| run.to_string()),
        state: run.state(),
        started: run.started(),
        last_report: run.last_report(),
        count,
        rate: series.and_then(|series| scope.run_rate(run.id(), series)),
        #[expect(clippy::cast_precision_loss, reason = "a share is shown with one decimal place")]
        share: count.zip(all.filter(|all| *all > 0)).map(|(count, all)| count as f64 / all as f64),
        trend: line.map_or_else(Vec::new, |line| scope.run_rates(line, app.span(), TREND)),
        changed_lately: run.changed().is_some_and(|changed| scope.fleet_now - changed < LATELY_MS),
        is_selected,
    }
}

impl RunState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Live, Self::Silent, Self::Idle, Self::Restarted, Self::Left];

    /// Returns the meaning of the state.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Live => "the run reports",
            Self::Silent => "no report for instance_timeout (30 s by default), and no final report",
            Self::Idle => "a plain key without a record for as long; its program may still run",
            Self::Restarted => "a newer run of the same instance began, and this one sent no final report",
            Self::Left => "the run sent its final report",
        }
    }

    /// Returns the state as a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Restarted => "restarted",
            Self::Left => "left",
        }
    }
}
