use serde::Serialize;

use crate::app::{App, Scope};
use crate::batch::{Connection, Topic, TopicState};
use crate::fleet::{Audit, RunState};
use crate::name::Name;

/// What is worth knowing in two seconds.
#[derive(Debug, Serialize)]
pub struct Header {
    /// Where the data comes from.
    pub brokers: Name,
    /// How things are.
    pub verdict: Verdict,
    /// The age of the newest aggregate in ms.
    pub newest_aggregate_age_ms: Option<i64>,
    /// How many records on `metrics` the aggregator has not taken in yet.
    pub aggregator_lag: Option<i64>,
    /// How far this machine's clock is ahead of the brokers' in ms; 0 if it does not matter.
    pub clock_offset_ms: i64,
    /// The selected series, whose rate stands for how fast the fleet counts.
    pub selected: Option<Name>,
    /// Its change per second.
    pub rate: Option<f64>,
    /// How many runs are in which state.
    pub runs: RunCounts,
    /// Audits with records that were processed twice, and how many at least.
    #[serde(skip)]
    pub duplicates: Vec<(Name, i128)>,
    /// How many audits there are.
    #[serde(skip)]
    pub audits: usize,
    /// What whoever runs the dashboard has to say.
    pub notice: Option<Name>,
}

/// How things are: the worst of what is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Verdict {
    /// No broker has answered yet.
    Connecting,
    /// The brokers were there and are gone.
    Reconnecting {
        /// For how long, in ms.
        for_ms: i64,
        /// Why.
        reason: Name,
    },
    /// A topic can't be read.
    Unreadable {
        /// Which one.
        topic: &'static str,
        /// Why.
        reason: Name,
    },
    /// A topic does not exist yet.
    Waiting {
        /// Which one.
        topic: &'static str,
    },
    /// What stood on the topics at the start is being read.
    Reading {
        /// How much of it was, from 0 to 1.
        progress: f64,
    },
    /// The aggregator does not publish although it should.
    Stalled {
        /// For how long, in ms; none if it never did.
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
    /// They report.
    pub live: usize,
    /// They stopped reporting without saying so.
    pub silent: usize,
    /// Plain counters that have not come lately.
    pub idle: usize,
    /// A newer run took their place.
    pub restarted: usize,
    /// They said that they leave.
    pub left: usize,
}

/// The lines at the top.
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

/// Whether any total of the user's grows.
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
