//! The data to show, for the screen and the text outputs. This module is pure.

mod audit;
mod chart;
mod header;
mod instances;
mod overlay;
mod overview;
mod pipeline;
mod timeline;

use serde::Serialize;

use crate::app::{App, Mode, Tab};
use crate::layout;

pub use audit::{AuditRow, AuditView, audits};
pub use chart::{Chart, ChartLine, Scale};
pub use header::{AuditVerdict, Header, RunCounts, Verdict, header};
pub use instances::{InstanceRow, InstancesView, instances};
pub(crate) use overlay::overlay;
pub use overlay::{OverlayLine, OverlayView};
pub use overview::{OverviewView, SeriesRow, overview};
pub use pipeline::{BadRow, GroupRow, PipelineView, TopicRow, pipeline};
pub use timeline::{EventRow, timeline};

/// The data of the screen.
#[derive(Debug)]
pub struct View {
    /// The lines at the top.
    pub header: Header,
    /// The tab.
    pub body: Body,
    /// The filter that is being typed.
    pub prompt: Option<Prompt>,
    /// The time span of the charts, in ms.
    pub span: i64,
    /// For how long the display has been frozen, in ms.
    pub frozen_for: Option<i64>,
    /// The overlay, if one is open.
    pub overlay: Option<OverlayView>,
    /// How keys are interpreted.
    pub mode: Mode,
}

/// The tab that is shown.
#[derive(Debug)]
pub enum Body {
    /// Throughput and series.
    Overview(OverviewView),
    /// The runs.
    Instances(InstancesView),
    /// Sent, processed, delta, and the timeline.
    Audit(AuditView),
    /// Log ends, positions, lag.
    Pipeline {
        /// The data of the tab.
        view: PipelineView,
        /// The first visible line.
        top: usize,
    },
}

/// A filter that is being typed.
#[derive(Debug)]
pub struct Prompt {
    /// The text of the filter.
    pub text: String,
    /// Why the text is no valid filter.
    pub error: Option<String>,
}

/// The data of all tabs, for the text outputs.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version of the JSON format.
    pub v: u32,
    /// The time of the report, in ms since 1970 by this machine's clock.
    pub at: i64,
    /// The lines at the top.
    #[serde(flatten)]
    pub header: Header,
    /// All series.
    pub series: Vec<SeriesRow>,
    /// All runs, with their counts of the selected series.
    pub instances: InstancesView,
    /// All audits.
    pub audits: Vec<AuditRow>,
    /// The timeline, newest first.
    pub events: Vec<EventRow>,
    /// Log ends, positions, lag.
    pub pipeline: PipelineView,
}

impl View {
    /// Returns the data of the screen at `now`.
    #[must_use]
    pub fn new(app: &App, now: i64) -> Self {
        let scope = app.scope(now);
        let page = layout::page(app.size, app.tab);
        let body = match app.tab {
            Tab::Overview => Body::Overview(overview(app, scope, page, app.shows_own)),
            Tab::Instances => Body::Instances(instances(app, scope, page)),
            Tab::Audit => Body::Audit(AuditView::new(app, scope)),
            Tab::Pipeline => Body::Pipeline { view: pipeline(scope), top: app.pipeline_top },
        };
        let mode = app.mode();
        let filter = app.filter();
        let prompt = filter
            .filter(|_| mode == Mode::Filter)
            .map(|filter| Prompt { text: filter.text().to_owned(), error: filter.error().map(str::to_owned) });
        Self {
            header: header(app, scope),
            body,
            prompt,
            span: app.span(),
            frozen_for: app.frozen_at().map(|at| now - at),
            overlay: overlay(app, scope),
            mode,
        }
    }

    /// Returns the tab that is shown.
    #[must_use]
    pub fn tab(&self) -> Tab {
        match self.body {
            Body::Overview(_) => Tab::Overview,
            Body::Instances(_) => Tab::Instances,
            Body::Audit(_) => Tab::Audit,
            Body::Pipeline { .. } => Tab::Pipeline,
        }
    }
}

impl Report {
    /// Returns the data of all tabs at `now`.
    #[must_use]
    pub fn new(app: &App, now: i64) -> Self {
        let scope = app.scope(now);
        Self {
            v: 1,
            at: scope.now,
            header: header(app, scope),
            series: overview(app, scope, usize::MAX, true).rows,
            instances: instances(app, scope, usize::MAX),
            audits: audits(scope),
            events: timeline(scope),
            pipeline: pipeline(scope),
        }
    }
}
