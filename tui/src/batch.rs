use rdkafka::message::{BorrowedMessage, Message as _};

/// A batch that the [`Source`](crate::Source) delivers and the [`Fleet`](crate::Fleet) applies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Batch {
    /// Records of one topic, in the order of the log.
    Records {
        /// The topic of the records.
        topic: Topic,
        /// The records.
        records: Vec<RawRecord>,
    },
    /// The reading state of a topic changed.
    Topic {
        /// The topic.
        topic: Topic,
        /// The new state.
        state: TopicState,
    },
    /// Whether the brokers answer.
    Connection(Connection),
    /// The log ends and the committed offsets of the consumer groups.
    Lag(LagReport),
}

/// One of the two topics that an observer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The reports of the instances (`metrics`).
    Metrics,
    /// The fleet-wide totals (`metrics-agg`).
    Aggregates,
}

/// The reading state of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicState {
    /// No broker has answered a request about the topic yet.
    Unknown,
    /// The topic does not exist yet; the source checks again.
    Missing,
    /// The topic is read from its beginning to the log end that it had at first. Records that were read before are
    /// delivered again.
    Reading {
        /// The first offset that the log still has.
        start: i64,
        /// The log end.
        end: i64,
    },
    /// All records up to the first log end were read; new records are delivered when they are written.
    CaughtUp,
    /// The topic was deleted and created again: its earlier records are void, and it is read from the beginning.
    Recreated,
    /// The topic can't be read; the source retries.
    Failed {
        /// The reason as text.
        reason: String,
    },
}

/// Whether the brokers answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Connection {
    /// No broker has answered yet.
    Connecting,
    /// A broker answers.
    Connected,
    /// No broker answers; the source retries without end.
    Lost {
        /// The reason as text.
        reason: String,
    },
}

/// A record that was read and not decoded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// The offset of the record.
    pub offset: i64,
    /// The timestamp in ms since 1970; 0 without a timestamp.
    pub timestamp: i64,
    /// The key of the record.
    pub key: Option<Vec<u8>>,
    /// The value of the record; `None` in a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Log ends and committed offsets at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LagReport {
    /// The log end of each topic that exists.
    pub log_ends: Vec<(Topic, i64)>,
    /// The committed offsets of the watched consumer groups.
    pub groups: Vec<GroupOffset>,
}

/// The committed offset of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    /// The group's id.
    pub group: String,
    /// The topic that the group consumes.
    pub topic: Topic,
    /// The committed offset, which is that of the next record to read; `None` without a commit.
    pub committed: Option<i64>,
}

impl RawRecord {
    pub(crate) fn copy(message: &BorrowedMessage<'_>) -> Self {
        Self {
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().unwrap_or(0),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// Returns the size of key and value in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}
