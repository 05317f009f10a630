//! The dashboard's state, and how it changes. Pure: the time is passed in, and nothing is written anywhere.

mod act;
mod filter;
mod keys;
mod list;
pub(crate) mod order;
mod scope;
mod tab;

use ratatui::crossterm::event::KeyEvent;

use crate::batch::Batch;
use crate::fleet::{Fleet, Run, RunId, SeriesId};

pub use filter::Filter;
pub use keys::{Action, Binding, Key, Mode, Step, action, bindings};
pub use list::List;
pub use order::{RunColumn, SeriesColumn};
pub use scope::Scope;
pub use tab::Tab;

/// The time spans that can be shown, in ms.
const SPANS: [i64; 7] = [60_000, 120_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000];

/// What happens to the dashboard.
#[derive(Debug, Clone)]
pub enum Input {
    /// The source delivered something.
    Batch(Batch),
    /// A key was pressed.
    Key(KeyEvent),
    /// The screen has so many columns and rows.
    Resize(u16, u16),
    /// Whoever runs the dashboard has something to say; it is shown until there is something else.
    Notice(String),
    /// It is time to look at the clock.
    Tick,
}

/// The state of the dashboard.
#[derive(Debug)]
pub struct App {
    /// Where the data comes from, for the header.
    pub brokers: String,
    /// The fleet as of now, also while the display is frozen.
    pub fleet: Fleet,
    /// What is displayed instead while the display is frozen.
    frozen: Option<Box<Frozen>>,
    /// The tab that is shown.
    pub tab: Tab,
    /// The table of series.
    pub series: List<SeriesId, SeriesColumn>,
    /// The table of instances.
    pub runs: List<RunId, RunColumn>,
    /// Whether the instances are those of the selected series only.
    pub is_drilled: bool,
    /// Which of the audits is shown.
    audit: usize,
    /// The first row of the pipeline that is shown.
    pub pipeline_top: usize,
    /// The filter that was there before the one that is being typed.
    typing: Option<Filter>,
    /// What lies over the tab.
    pub overlay: Option<Overlay>,
    /// What whoever runs the dashboard has to say.
    pub notice: Option<String>,
    /// Columns and rows of the screen.
    pub size: (u16, u16),
    /// Whether the user wants to leave.
    pub is_done: bool,
    span: usize,
    /// The series to select as soon as it is there.
    preferred: Option<String>,
}

/// What lies over the tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    /// The key table.
    Help,
    /// Everything about the selected instance.
    Details,
}

/// The fleet as it was when the display was frozen.
#[derive(Debug)]
struct Frozen {
    fleet: Fleet,
    at: i64,
}

impl App {
    /// A dashboard that shows nothing yet. `preferred` names the series (text or name) that is selected at first, if
    /// it comes.
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
            audit: 0,
            pipeline_top: 0,
            typing: None,
            overlay: None,
            notice: None,
            size: (80, 24),
            is_done: false,
            span: 0,
            preferred,
        }
    }

    /// Takes in what happens at `now` (ms since 1970).
    pub fn update(&mut self, input: Input, now: i64) {
        match input {
            Input::Batch(batch) => self.fleet.apply(&batch, now),
            Input::Key(event) => {
                if let Some(action) = action(self.mode(), event) {
                    self.act(action, now);
                    self.focus(now);
                }
            }
            Input::Resize(columns, rows) => self.size = (columns, rows),
            Input::Notice(notice) => self.notice = Some(notice),
            Input::Tick => {
                self.fleet.tick(now);
                self.prefer();
                self.focus(now);
            }
        }
    }

    /// What there is to display at `now`.
    #[must_use]
    pub fn scope(&self, now: i64) -> Scope<'_> {
        let (fleet, now) = self.frozen.as_ref().map_or((&self.fleet, now), |frozen| (&frozen.fleet, frozen.at));
        Scope::new(fleet, now)
    }

    /// What the keys mean.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if self.typing.is_some() { Mode::Filter } else { Mode::Command }
    }

    /// When the display was frozen.
    #[must_use]
    pub fn frozen_at(&self) -> Option<i64> {
        self.frozen.as_ref().map(|frozen| frozen.at)
    }

    /// The time that charts show, in ms.
    #[must_use]
    pub fn span(&self) -> i64 {
        SPANS[self.span]
    }

    /// The selected series.
    #[must_use]
    pub fn selected_series(&self, scope: Scope<'_>) -> Option<SeriesId> {
        let known = |id: &SeriesId| scope.fleet.knows(*id) && self.series.filter.allows(scope.fleet.get(*id).text());
        self.series.selected.filter(known).or_else(|| order::series(scope, &self.series).first().copied())
    }

    /// The runs that are listed, in their order.
    #[must_use]
    pub fn listed_runs<'a>(&self, scope: Scope<'a>) -> Vec<&'a Run> {
        order::runs(scope, &self.runs, self.selected_series(scope), self.is_drilled)
    }

    /// Which of so many audits is shown.
    #[must_use]
    pub fn audit(&self, audits: usize) -> usize {
        self.audit.min(audits.saturating_sub(1))
    }

    /// The filter of the tab that is shown.
    #[must_use]
    pub fn filter(&self) -> Option<&Filter> {
        match self.tab {
            Tab::Overview => Some(&self.series.filter),
            Tab::Instances => Some(&self.runs.filter),
            Tab::Audit | Tab::Pipeline => None,
        }
    }

    /// Selects the preferred series as soon as it is there, unless the user selected another.
    fn prefer(&mut self) {
        if let Some(preferred) = &self.preferred
            && let Some(series) =
                self.fleet.series().find(|series| series.text() == preferred || series.series().name() == preferred)
        {
            self.series.selected.get_or_insert(series.id());
            self.preferred = None;
        }
    }

    /// Has the fleet keep the lines of the selected series.
    fn focus(&mut self, now: i64) {
        let selected = self.selected_series(self.scope(now));
        self.fleet.focus(selected);
    }
}
