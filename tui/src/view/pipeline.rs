use serde::Serialize;

use crate::app::Scope;
use crate::batch::{Topic, TopicState};
use crate::name::Name;

/// The aggregator's own counter of records that it could not count.
const BAD_RECORDS: &str = "quipu_bad_records_total";

/// The way from the instances to the sinks.
#[derive(Debug, Serialize)]
pub struct PipelineView {
    /// The topics.
    pub topics: Vec<TopicRow>,
    /// The consumer groups.
    pub groups: Vec<GroupRow>,
    /// Bad records by who met them and why.
    pub bad_records: Vec<BadRow>,
    /// How often something found no room in this dashboard.
    pub cut_off: u64,
}

/// A topic.
#[derive(Debug, Serialize)]
pub struct TopicRow {
    /// What it is for.
    pub topic: &'static str,
    /// How far reading it has come, in words.
    pub state: Name,
    /// Its log end.
    pub log_end: Option<i64>,
    /// Records written per second.
    pub rate: Option<f64>,
}

/// A consumer group.
#[derive(Debug, Serialize)]
pub struct GroupRow {
    /// Its id.
    pub group: Name,
    /// What it consumes.
    pub topic: &'static str,
    /// The next offset that it will read.
    pub position: Option<i64>,
    /// How many records it still has to read.
    pub lag: Option<i64>,
    /// Records read per second.
    pub rate: Option<f64>,
}

/// Bad records of one kind.
#[derive(Debug, Serialize)]
pub struct BadRow {
    /// Who met them.
    pub met_by: &'static str,
    /// Why they are bad.
    pub reason: Name,
    /// How many.
    pub count: i128,
}

impl PipelineView {
    /// How many lines it takes with its titles and the lines between its parts.
    #[must_use]
    pub fn rows(&self) -> usize {
        let rows = |count: usize| count.max(1) + 3;
        rows(self.topics.len()) + rows(self.groups.len()) + rows(self.bad_records.len() + usize::from(self.cut_off > 0))
    }
}

/// The way from the instances to the sinks.
#[must_use]
pub fn pipeline(scope: Scope<'_>) -> PipelineView {
    let pipeline = scope.fleet.pipeline();
    let topics = [Topic::Metrics, Topic::Aggregates].map(|topic| {
        let read = pipeline.topic(topic);
        TopicRow {
            topic: topic.role(),
            state: Name::new(words(&read.state, read.position)),
            log_end: read.log_end,
            rate: read.history.rate(scope.now),
        }
    });
    let groups = pipeline.groups().map(|(name, group)| GroupRow {
        group: Name::new(name),
        topic: group.topic.role(),
        position: group.committed,
        lag: pipeline.lag(group),
        rate: group.history.rate(scope.now),
    });
    let aggregator = scope.fleet.series().filter(|series| series.series().name() == BAD_RECORDS).filter_map(|series| {
        let reason = series.series().label("reason").unwrap_or("unknown");
        Some(BadRow { met_by: "aggregator", reason: Name::new(reason), count: series.total()?.count })
    });
    let here = pipeline.bad().map(|(topic, reason, count)| BadRow {
        met_by: if topic == Topic::Metrics { "this dashboard, on metrics" } else { "this dashboard, on metrics-agg" },
        reason: Name::new(reason),
        count: i128::from(count),
    });
    PipelineView {
        topics: topics.into(),
        groups: groups.collect(),
        bad_records: aggregator.chain(here).collect(),
        cut_off: scope.fleet.cut_off(),
    }
}

fn words(state: &TopicState, position: Option<i64>) -> String {
    match state {
        TopicState::Unknown => "not asked yet".to_owned(),
        TopicState::Missing => "does not exist yet".to_owned(),
        TopicState::Reading { end, .. } => {
            format!("reading {} of {end}", position.unwrap_or(0))
        }
        TopicState::CaughtUp => "read to its end".to_owned(),
        TopicState::Recreated => "was replaced, reading anew".to_owned(),
        TopicState::Failed { reason } => format!("can't be read: {reason}"),
    }
}

impl Topic {
    /// The topic by the name that it has unless it is configured otherwise.
    #[must_use]
    pub fn role(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Aggregates => "metrics-agg",
        }
    }
}
