use serde::Serialize;

use crate::app::{App, Scope};
use crate::batch::{Connection, Topic, TopicState};
use crate::fleet::{Audit, RunState};
use crate::name::Name;
use crate::theme::Role;

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
    /// What the audits show together.
    #[serde(skip)]
    pub audit: AuditVerdict,
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
    /// The aggregator has records to read, and its position has not changed for some seconds.
    Behind {
        /// How many records it has still to read.
        by: i64,
        /// The age of the newest aggregate in ms; `None` if it never published.
        newest_ms: Option<i64>,
    },
    /// No total has changed lately.
    Idle,
    /// Totals grow.
    Counting,
}

/// What the audits show together: the most serious of the conditions that apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditVerdict {
    /// There is no audit.
    Absent,
    /// Records are still being sent or read, so nothing can be concluded.
    Open,
    /// All data is final, and as many records were processed as were sent.
    Equal,
    /// So many records were sent and are not processed yet.
    Behind(i128),
    /// So many records more were processed than sent, which reports that are still to come may explain.
    Undecided(i128),
    /// The audits with duplicates, and the least number of duplicates.
    Duplicates(Vec<(Name, i128)>),
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

impl Verdict {
    /// The words for the verdicts, and what they mean.
    pub(crate) const WORDS: [(&str, Role, &str); 9] = [
        ("COUNTING", Role::GoodBadge, "totals grow"),
        ("IDLE", Role::WarningBadge, "no total has changed for some seconds"),
        ("BEHIND", Role::WarningBadge, "the aggregator has records to read, and has read none for 3 s"),
        ("STALLED", Role::BadBadge, "the aggregator has published nothing although it should: is it running?"),
        ("READING", Role::WarningBadge, "the records that were on the topics at the start are being read"),
        ("WAITING", Role::WarningBadge, "a topic does not exist yet; the aggregator creates both"),
        ("UNREADABLE", Role::BadBadge, "a topic can't be read, for the reason beside"),
        ("CONNECTING", Role::WarningBadge, "no broker has answered yet"),
        ("DISCONNECTED", Role::BadBadge, "the brokers answered before and do not answer now"),
    ];
}

/// Returns the data of the lines at the top.
#[must_use]
pub fn header(app: &App, scope: Scope<'_>) -> Header {
    let pipeline = scope.fleet.pipeline();
    let age = pipeline.newest_aggregate().map(|newest| (scope.fleet_now - newest).max(0));
    let selected = app.selected_series(scope).map(|id| scope.fleet.get(id));
    let verdict = verdict(scope, age);
    let notice = app.notice.clone().or_else(|| app.overdue_series(scope.now));
    Header {
        brokers: Name::new(&app.brokers),
        audit: audit(scope, &verdict),
        verdict,
        newest_aggregate_age_ms: age,
        aggregator_lag: pipeline.aggregator_lag(),
        clock_offset_ms: scope.fleet.clock_offset(),
        selected: selected.map(|series| Name::new(series.text())),
        rate: selected.and_then(|series| scope.total_rate(series.history())),
        runs: run_counts(scope),
        notice: notice.map(Name::new),
    }
}

/// Returns the verdict of all audits. Duplicates stay proven; for anything else, the totals must be up to date.
fn audit(scope: Scope<'_>, verdict: &Verdict) -> AuditVerdict {
    let audits: Vec<Audit<'_>> = scope.fleet.audits().collect();
    let duplicates: Vec<(Name, i128)> = audits
        .iter()
        .filter(|audit| audit.duplicates() > 0)
        .map(|audit| (Name::new(audit.name), audit.duplicates()))
        .collect();
    let is_current = matches!(verdict, Verdict::Counting | Verdict::Idle);
    let deltas = || audits.iter().filter_map(Audit::delta_count);
    let ahead: i128 = deltas().filter(|delta| *delta > 0).sum();
    let behind: i128 = -deltas().filter(|delta| *delta < 0).sum::<i128>();
    match () {
        () if audits.is_empty() => AuditVerdict::Absent,
        () if !duplicates.is_empty() => AuditVerdict::Duplicates(duplicates),
        () if !is_current => AuditVerdict::Open,
        () if ahead > 0 => AuditVerdict::Undecided(ahead),
        () if behind > 0 => AuditVerdict::Behind(behind),
        () if audits.iter().all(|audit| audit.delta_count().is_some() && audit.is_final()) => AuditVerdict::Equal,
        () => AuditVerdict::Open,
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
        None if scope.is_behind => Verdict::Behind { by: pipeline.aggregator_lag().unwrap_or(0), newest_ms: age },
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
