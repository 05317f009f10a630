use serde::Serialize;

use crate::app::{App, Scope};
use crate::batch::{Connection, Topic, TopicState};
use crate::fleet::{Audit, RunState};
use crate::name::Name;

/// The data of the two lines at the top.
#[derive(Debug, Serialize)]
pub struct Header {
    /// The brokers' addresses.
    pub brokers: Name,
    /// The state of the fleet.
    pub verdict: Verdict,
    /// The age of the newest aggregate in ms.
    pub newest_aggregate_age_ms: Option<i64>,
    /// How many records on `metrics` the aggregator still has to read.
    pub aggregator_lag: Option<i64>,
    /// How far this machine's clock is ahead of the brokers' clock in ms; 0 if the difference is small.
    pub clock_offset_ms: i64,
    /// The selected series.
    pub selected: Option<Name>,
    /// The change of the selected series per second.
    pub rate: Option<f64>,
    /// How many runs are in which state.
    pub runs: RunCounts,
    /// The audits with duplicates, and the least number of duplicates.
    #[serde(skip)]
    pub duplicates: Vec<(Name, i128)>,
    /// How many audits there are.
    #[serde(skip)]
    pub audits: usize,
    /// The last notice of the program that runs the dashboard.
    pub notice: Option<Name>,
}

/// The state of the fleet: the most serious of the conditions that apply.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Verdict {
    /// No broker has answered yet.
    Connecting,
    /// The brokers answered before and do not answer now.
    Reconnecting {
        /// For how long, in ms.
        for_ms: i64,
        /// The reason.
        reason: Name,
    },
    /// A topic can't be read.
    Unreadable {
        /// The topic.
        topic: &'static str,
        /// The reason.
        reason: Name,
    },
    /// A topic does not exist yet.
    Waiting {
        /// The topic.
        topic: &'static str,
    },
    /// The records that were on the topics at the start are being read.
    Reading {
        /// Which part of them was read, from 0 to 1.
        progress: f64,
    },
    /// The aggregator does not publish although it should.
    Stalled {
        /// For how long, in ms; `None` if it never published.
        for_ms: Option<i64>,
    },
    /// No total has changed lately.
    Idle,
    /// Totals grow.
    Counting,
}

/// How many runs are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RunCounts {
    /// Runs that report.
    pub live: usize,
    /// Runs that stopped reporting without a final report.
    pub silent: usize,
    /// Plain keys without a recent record.
    pub idle: usize,
    /// Runs that were followed by a newer run without a final report.
    pub restarted: usize,
    /// Runs that sent their final report.
    pub left: usize,
}

/// Returns the data of the lines at the top.
#[must_use]
pub fn header(app: &App, scope: Scope<'_>) -> Header {
    let pipeline = scope.fleet.pipeline();
    let age = pipeline.newest_aggregate().map(|newest| (scope.fleet_now - newest).max(0));
    let selected = app.selected_series(scope).map(|id| scope.fleet.get(id));
    let audits: Vec<Audit<'_>> = scope.fleet.audits().collect();
    Header {
        brokers: Name::new(&app.brokers),
        verdict: verdict(scope, age),
        newest_aggregate_age_ms: age,
        aggregator_lag: pipeline.aggregator_lag(),
        clock_offset_ms: scope.fleet.clock_offset(),
        selected: selected.map(|series| Name::new(series.text())),
        rate: selected.and_then(|series| scope.total_rate(series.history())),
        runs: run_counts(scope),
        duplicates: audits
            .iter()
            .filter(|audit| audit.duplicates() > 0)
            .map(|audit| (Name::new(audit.name), audit.duplicates()))
            .collect(),
        audits: audits.len(),
        notice: app.notice.as_ref().map(Name::new),
    }
}

fn verdict(scope: Scope<'_>, age: Option<i64>) -> Verdict {
    let pipeline = scope.fleet.pipeline();
    match pipeline.connection() {
        (Connection::Connecting, _) => return Verdict::Connecting,
        (Connection::Lost { reason }, since) => {
            return Verdict::Reconnecting { for_ms: scope.now - since, reason: Name::new(reason) };
        }
        (Connection::Connected, _) => {}
    }
    for topic in [Topic::Metrics, Topic::Aggregates] {
        match &pipeline.topic(topic).state {
            TopicState::Failed { reason } => {
                return Verdict::Unreadable { topic: topic.role(), reason: Name::new(reason) };
            }
            TopicState::Missing => return Verdict::Waiting { topic: topic.role() },
            _ => {}
        }
    }
    if let Some(progress) = pipeline.progress() {
        return Verdict::Reading { progress };
    }
    if [Topic::Metrics, Topic::Aggregates].iter().any(|topic| pipeline.topic(*topic).state != TopicState::CaughtUp) {
        return Verdict::Reading { progress: 0.0 };
    }
    let never_published = age.is_none() && pipeline.topic(Topic::Metrics).log_end > Some(0);
    match scope.stalled_for {
        Some(for_ms) => Verdict::Stalled { for_ms: Some(for_ms) },
        None if never_published => Verdict::Stalled { for_ms: None },
        None if is_counting(scope) => Verdict::Counting,
        None => Verdict::Idle,
    }
}

/// Returns whether any total of the user's series grows.
fn is_counting(scope: Scope<'_>) -> bool {
    let mut series = scope.fleet.series().filter(|series| !series.is_own());
    series.any(|series| scope.total_rate(series.history()).is_some_and(|rate| rate > 0.0))
}

fn run_counts(scope: Scope<'_>) -> RunCounts {
    let mut counts = RunCounts::default();
    for run in scope.fleet.runs() {
        let count = match run.state() {
            RunState::Live => &mut counts.live,
            RunState::Silent => &mut counts.silent,
            RunState::Idle => &mut counts.idle,
            RunState::Restarted => &mut counts.restarted,
            RunState::Left => &mut counts.left,
        };
        *count += 1;
    }
    counts
}
