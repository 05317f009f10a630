//! The state of the dashboard and its changes. This module is pure: the time is an argument, and there is no I/O.

mod act;
mod filter;
mod keys;
mod list;
mod mouse;
pub(crate) mod order;
mod preferred;
mod scope;
mod tab;

use ratatui::crossterm::event::{KeyEvent, MouseEvent};

use crate::batch::Batch;
use crate::fleet::{Fleet, Run, RunId, SeriesId};
use crate::layout;

pub use filter::Filter;
pub use keys::{Action, Binding, Key, Mode, Step, action, bindings};
pub use list::List;
pub use order::{RunColumn, SeriesColumn};
pub use scope::Scope;
pub use tab::Tab;

/// The time spans that can be shown, in ms.
const SPANS: [i64; 7] = [60_000, 120_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000];

/// An input that changes the dashboard.
#[derive(Debug, Clone)]
pub enum Input {
    /// The source delivered a batch.
    Batch(Batch),
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// The number of columns and rows of the screen changed.
    Resize(u16, u16),
    /// The program that runs the dashboard has a notice for the user. It is shown until the next notice.
    Notice(String),
    /// Time has passed.
    Tick,
}

/// The state of the dashboard.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct App {
    /// The brokers' addresses, for the header.
    pub brokers: String,
    /// The current fleet, which is also updated while the display is frozen.
    pub fleet: Fleet,
    /// The fleet that is shown while the display is frozen.
    frozen: Option<Box<Frozen>>,
    /// The tab that is shown.
    pub tab: Tab,
    /// The table of series.
    pub series: List<SeriesId, SeriesColumn>,
    /// The table of instances.
    pub runs: List<RunId, RunColumn>,
    /// Whether only the instances that count the selected series are listed.
    pub is_drilled: bool,
    /// The last known [`Fleet::others`] of the series whose instances are listed.
    pub others: Option<(SeriesId, i128)>,
    /// The index of the audit that is shown.
    audit: usize,
    /// The first visible row of the pipeline.
    pub pipeline_top: usize,
    /// The previous filter, while another one is being typed.
    typing: Option<Filter>,
    /// The overlay, if one is open.
    pub overlay: Option<Overlay>,
    /// The first line of the overlay that is shown.
    pub overlay_top: usize,
    /// Whether the series of Quipu itself are listed.
    pub shows_own: bool,
    /// Whether the dashboard uses the mouse.
    pub uses_mouse: bool,
    /// The last notice of the program that runs the dashboard.
    pub notice: Option<String>,
    /// Columns and rows of the screen.
    pub size: (u16, u16),
    /// Whether the user closed the dashboard.
    pub is_done: bool,
    /// Whether the user wants to suspend the program.
    pub is_suspending: bool,
    span: usize,
    /// The series to select as soon as it has been read.
    preferred: Option<String>,
    /// When both topics were first read to their ends.
    read_at: Option<i64>,
}

/// A window over the tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    /// The key table.
    Help,
    /// The details of the selected instance.
    Details,
}

/// A copy of the fleet from the moment when the display was frozen.
#[derive(Debug)]
struct Frozen {
    fleet: Fleet,
    at: i64,
}

impl App {
    /// Creates an empty dashboard. `preferred` is the series (text or name) that is selected at first, as soon as it was
    /// read.
    #[must_use]
    pub fn new(brokers: impl Into<String>, preferred: Option<String>) -> Self {
        Self {
            brokers: brokers.into(),
            fleet: Fleet::default(),
            frozen: None,
            tab: Tab::Overview,
            series: List::new(SeriesColumn::Name),
            runs: List::new(RunColumn::State),
            is_drilled: false,
            others: None,
            audit: 0,
            pipeline_top: 0,
            typing: None,
            overlay: None,
            overlay_top: 0,
            shows_own: false,
            uses_mouse: true,
            notice: None,
            size: (80, 24),
            is_done: false,
            is_suspending: false,
            span: 0,
            preferred,
            read_at: None,
        }
    }

    /// Applies an input at the time `now` (ms since 1970).
    pub fn update(&mut self, input: Input, now: i64) {
        match input {
            Input::Batch(batch) => self.fleet.apply(&batch, now),
            Input::Key(event) => {
                if let Some(action) = action(self.mode(), event) {
                    self.act(action, now);
                    self.focus(now);
                }
            }
            Input::Mouse(event) => {
                self.mouse(event, now);
                self.focus(now);
            }
            Input::Resize(columns, rows) => self.size = (columns, rows),
            Input::Notice(notice) => self.notice = Some(notice),
            Input::Tick => {
                self.fleet.tick(now);
                self.prefer(now);
                self.focus(now);
            }
        }
    }

    /// Returns the fleet and the time to show: the frozen ones, or the current ones.
    #[must_use]
    pub fn scope(&self, now: i64) -> Scope<'_> {
        let (fleet, now) = self.frozen.as_ref().map_or((&self.fleet, now), |frozen| (&frozen.fleet, frozen.at));
        Scope::new(fleet, now)
    }

    /// Returns how keys are interpreted now.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match (&self.typing, self.overlay) {
            _ if !layout::is_large_enough(self.size) => Mode::TooSmall,
            (_, Some(_)) => Mode::Overlay,
            (Some(_), None) => Mode::Filter,
            (None, None) => Mode::Command,
        }
    }

    /// Returns when the display was frozen, if it is.
    #[must_use]
    pub fn frozen_at(&self) -> Option<i64> {
        self.frozen.as_ref().map(|frozen| frozen.at)
    }

    /// Returns the time span of the charts, in ms.
    #[must_use]
    pub fn span(&self) -> i64 {
        SPANS[self.span]
    }

    /// Returns the selected series.
    #[must_use]
    pub fn selected_series(&self, scope: Scope<'_>) -> Option<SeriesId> {
        let is_listed = |id: &SeriesId| {
            scope.fleet.knows(*id) && order::is_listed(scope.fleet.get(*id), &self.series.filter, self.shows_own)
        };
        let first = || order::series(scope, &self.series, self.shows_own).first().copied();
        self.series.selected.filter(is_listed).or_else(first)
    }

    /// Returns the runs that are listed, in the order of the list.
    #[must_use]
    pub fn listed_runs<'a>(&self, scope: Scope<'a>) -> Vec<&'a Run> {
        order::runs(scope, &self.runs, self.selected_series(scope), self.is_drilled)
    }

    /// Returns the index of the audit that is shown, of `audits`.
    #[must_use]
    pub fn audit(&self, audits: usize) -> usize {
        self.audit.min(audits.saturating_sub(1))
    }

    /// Returns the filter of the current tab, if the tab has one.
    #[must_use]
    pub fn filter(&self) -> Option<&Filter> {
        match self.tab {
            Tab::Overview => Some(&self.series.filter),
            Tab::Instances => Some(&self.runs.filter),
            Tab::Audit | Tab::Pipeline => None,
        }
    }

    /// Makes the fleet keep the lines of the selected series, and notes what its runs leave of its total.
    fn focus(&mut self, now: i64) {
        let scope = self.scope(now);
        let selected = self.selected_series(scope);
        if self.is_drilled
            && let Some(others) = selected.and_then(|series| Some((series, scope.fleet.others(series)?)))
        {
            self.others = Some(others);
        }
        self.fleet.focus(selected);
    }
}
