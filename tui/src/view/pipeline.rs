use serde::Serialize;

use crate::app::Scope;
use crate::batch::{Topic, TopicState};
use crate::name::Name;

/// The aggregator's counter of bad records.
const BAD_RECORDS: &str = "quipu_bad_records_total";

/// The state of the topics and consumer groups between the instances and the sinks.
#[derive(Debug, Serialize)]
pub struct PipelineView {
    /// The topics.
    pub topics: Vec<TopicRow>,
    /// The consumer groups.
    pub groups: Vec<GroupRow>,
    /// The bad records by the process that found them and the reason.
    pub bad_records: Vec<BadRow>,
    /// How many records and counters this dashboard left out because of its limits.
    pub cut_off: u64,
}

/// A topic.
#[derive(Debug, Serialize)]
pub struct TopicRow {
    /// The default name of the topic.
    pub topic: &'static str,
    /// The reading state as text.
    pub state: Name,
    /// The log end of the topic.
    pub log_end: Option<i64>,
    /// The records written per second.
    pub rate: Option<f64>,
}

/// A consumer group.
#[derive(Debug, Serialize)]
pub struct GroupRow {
    /// The id of the group.
    pub group: Name,
    /// The topic that the group consumes.
    pub topic: &'static str,
    /// The next offset that the group reads.
    pub position: Option<i64>,
    /// How many records the group still has to read.
    pub lag: Option<i64>,
    /// The records read per second.
    pub rate: Option<f64>,
}

/// Bad records of one kind.
#[derive(Debug, Serialize)]
pub struct BadRow {
    /// The process that found them.
    pub met_by: &'static str,
    /// Why they are bad.
    pub reason: Name,
    /// The number of these records.
    pub count: i128,
}

impl PipelineView {
    /// Returns the number of lines, including titles and empty lines.
    #[must_use]
    pub fn rows(&self) -> usize {
        let rows = |count: usize| count.max(1) + 3;
        rows(self.topics.len()) + rows(self.groups.len()) + rows(self.bad_records.len() + usize::from(self.cut_off > 0))
    }
}

/// Returns the state of the topics and consumer groups.
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
        Some(BadRow { met_by: "aggregator", reason: Name::new(reason), count: series.total()?.count() })
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
        TopicState::Unknown => "unknown".to_owned(),
        TopicState::Missing => "does not exist yet".to_owned(),
        TopicState::Reading { end, .. } => {
            format!("reading {} of {end}", position.unwrap_or(0))
        }
        TopicState::CaughtUp => "read to its end".to_owned(),
        TopicState::Recreated => "was replaced, reading again".to_owned(),
        TopicState::Failed { reason } => format!("can't be read: {reason}"),
    }
}

impl Topic {
    /// Returns the default name of the topic.
    #[must_use]
    pub fn role(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Aggregates => "metrics-agg",
        }
    }
}
