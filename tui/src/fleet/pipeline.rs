use std::collections::BTreeMap;

use quipu_record::Aggregate;

use super::history::History;
use crate::batch::{Connection, LagReport, Topic, TopicState};

/// How many samples of each log end and of each group's position are kept.
const HISTORY: usize = 200;

/// The state of the topics and consumer groups between the instances and the sinks.
#[derive(Debug, Clone)]
pub struct Pipeline {
    connection: Connection,
    connection_since: i64,
    reconnected: Option<i64>,
    topics: [ReadTopic; 2],
    groups: BTreeMap<String, Group>,
    bad: BTreeMap<(Topic, &'static str), u64>,
    newest_aggregate: Option<i64>,
    aggregated: Option<i64>,
    /// The aggregator's last position, and since when it has not changed although there are records to read.
    aggregator: (Option<i64>, Option<i64>),
}

/// The reading state of one of the two topics.
#[derive(Debug, Clone)]
pub struct ReadTopic {
    /// The state of the topic.
    pub state: TopicState,
    /// The offset of the next record that this dashboard reads.
    pub position: Option<i64>,
    /// The log end in the last lag report.
    pub log_end: Option<i64>,
    /// The history of the log end.
    pub history: History,
}

/// A consumer group: the aggregator's or a sink's.
#[derive(Debug, Clone)]
pub struct Group {
    /// The topic that the group consumes.
    pub topic: Topic,
    /// The committed offset, which is that of the next record to read.
    pub committed: Option<i64>,
    /// The history of the committed offset.
    pub history: History,
}

impl Pipeline {
    pub(super) fn new() -> Self {
        let topic =
            || ReadTopic { state: TopicState::Unknown, position: None, log_end: None, history: History::new(HISTORY) };
        Self {
            connection: Connection::Connecting,
            connection_since: 0,
            reconnected: None,
            topics: [topic(), topic()],
            groups: BTreeMap::new(),
            bad: BTreeMap::new(),
            newest_aggregate: None,
            aggregated: None,
            aggregator: (None, None),
        }
    }

    /// Returns whether the brokers answer, and since when, in ms by this machine's clock.
    #[must_use]
    pub fn connection(&self) -> (&Connection, i64) {
        (&self.connection, self.connection_since)
    }

    /// Returns when the brokers last answered again after an outage, in ms by this machine's clock.
    pub(super) fn reconnected(&self) -> Option<i64> {
        self.reconnected
    }

    /// Returns the state of a topic.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> &ReadTopic {
        &self.topics[topic as usize]
    }

    /// Returns the groups, sorted by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(name, group)| (name.as_str(), group))
    }

    /// Returns the lag of a group: how many records it still has to read.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<i64> {
        Some((self.topic(group.topic).log_end? - group.committed?).max(0))
    }

    /// Returns the bad records that this dashboard read: topic, reason, number.
    pub fn bad(&self) -> impl Iterator<Item = (Topic, &'static str, u64)> {
        self.bad.iter().map(|((topic, reason), count)| (*topic, *reason, *count))
    }

    /// Returns the event time of the newest aggregate in ms, by the brokers' clock.
    #[must_use]
    pub fn newest_aggregate(&self) -> Option<i64> {
        self.newest_aggregate
    }

    /// Returns the lag of the aggregator: how many records on `metrics` it still has to read.
    #[must_use]
    pub fn aggregator_lag(&self) -> Option<i64> {
        Some((self.topic(Topic::Metrics).log_end? - self.aggregator_position()?).max(0))
    }

    /// Returns since when the aggregator's position has not changed although there are records to read, in ms by this
    /// machine's clock.
    #[must_use]
    pub fn aggregator_stuck_since(&self) -> Option<i64> {
        self.aggregator.1
    }

    /// Returns the aggregator's position on `metrics`: its group's commit or the offset in its newest aggregate, whichever
    /// is higher.
    pub(crate) fn aggregator_position(&self) -> Option<i64> {
        let committed = self.groups.values().filter(|group| group.topic == Topic::Metrics);
        committed.filter_map(|group| group.committed).max().max(self.aggregated)
    }

    /// Returns which part of the records that were on the topics at the start was read, from 0 to 1; `None` after all were
    /// read.
    #[must_use]
    pub fn progress(&self) -> Option<f64> {
        let (mut read, mut all) = (0, 0);
        for topic in &self.topics {
            if let TopicState::Reading { start, end } = topic.state {
                read += topic.position.map_or(0, |position| (position - start).clamp(0, end - start));
                all += end - start;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "this is a part of a progress bar")]
        let part = read as f64 / all as f64;
        (all > 0).then_some(part)
    }

    pub(super) fn connect(&mut self, connection: &Connection, now: i64) {
        let is_same = std::mem::discriminant(&self.connection) == std::mem::discriminant(connection);
        if matches!((&self.connection, connection), (Connection::Lost { .. }, Connection::Connected)) {
            self.reconnected = Some(now);
        }
        if !is_same || self.connection_since == 0 {
            self.connection_since = now;
        }
        self.connection = connection.clone();
    }

    pub(super) fn set_state(&mut self, topic: Topic, state: &TopicState) {
        let topic = &mut self.topics[topic as usize];
        topic.state = state.clone();
        if matches!(state, TopicState::Recreated) {
            topic.log_end = None;
            topic.history = History::new(HISTORY);
        }
    }

    /// Removes the position and the bad records of a topic.
    pub(super) fn clear_topic(&mut self, topic: Topic) {
        self.topics[topic as usize].position = None;
        self.bad.retain(|(other, _), _| *other != topic);
    }

    pub(super) fn read(&mut self, topic: Topic, offset: i64) {
        self.topics[topic as usize].position = Some(offset + 1);
    }

    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) {
        self.newest_aggregate = self.newest_aggregate.max(Some(aggregate.timestamp.0));
        self.aggregated = self.aggregated.max(Some(aggregate.offset.next().0));
    }

    pub(super) fn count_bad(&mut self, topic: Topic, reason: &'static str) {
        *self.bad.entry((topic, reason)).or_default() += 1;
    }

    pub(super) fn lags(&mut self, report: &LagReport, now: i64) {
        for (topic, end) in &report.log_ends {
            let topic = &mut self.topics[*topic as usize];
            topic.log_end = Some(*end);
            topic.history.push(now, i128::from(*end));
        }
        for offset in &report.groups {
            let group = self.groups.entry(offset.group.clone()).or_insert_with(|| Group {
                topic: offset.topic,
                committed: None,
                history: History::new(HISTORY),
            });
            group.committed = offset.committed;
            if let Some(committed) = offset.committed {
                group.history.push(now, i128::from(committed));
            }
        }
        self.groups.retain(|name, _| report.groups.iter().any(|group| group.group == *name));
        let (before, stuck_since) = self.aggregator;
        let position = self.aggregator_position();
        let is_behind = self.topic(Topic::Metrics).log_end > position.max(Some(0));
        let since = if position == before { stuck_since.or(Some(now)) } else { Some(now) };
        self.aggregator = (position, since.filter(|_| is_behind));
    }
}
