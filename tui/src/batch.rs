use rdkafka::message::{BorrowedMessage, Message as _};

/// What the [`Source`](crate::Source) delivers and the [`Fleet`](crate::Fleet) folds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Batch {
    /// Records of one topic, in the order of the log.
    Records {
        /// Where they come from.
        topic: Topic,
        /// The records.
        records: Vec<RawRecord>,
    },
    /// How far the reading of a topic has come.
    Topic {
        /// Which topic.
        topic: Topic,
        /// Its state from now on.
        state: TopicState,
    },
    /// Whether the brokers answer.
    Connection(Connection),
    /// Where the logs end and how far the consumer groups are.
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

/// How far the reading of a topic has come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicState {
    /// No broker has said anything about it yet.
    Unknown,
    /// The topic does not exist (yet); it is waited for.
    Missing,
    /// Reading from the beginning towards the log end that was found at first; what was read before comes again.
    Reading {
        /// The first offset that the log still has.
        start: i64,
        /// The log end.
        end: i64,
    },
    /// Everything that was there has been read; records come as they are written.
    CaughtUp,
    /// The log was replaced by another one: what was read from it is void, and reading begins anew.
    Recreated,
    /// The topic can't be read; it is tried again.
    Failed {
        /// Why, in words.
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
    /// No broker answers; it is tried again without end.
    Lost {
        /// Why, in words.
        reason: String,
    },
}

/// A record as it was read, not yet decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in ms since 1970; 0 if it has none.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; none in a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Log ends and committed offsets at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LagReport {
    /// The log end of each topic that could be asked for.
    pub log_ends: Vec<(Topic, i64)>,
    /// The consumer groups that are known.
    pub groups: Vec<GroupOffset>,
}

/// How far a consumer group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    /// The group's id.
    pub group: String,
    /// What it consumes.
    pub topic: Topic,
    /// The offset it committed, i.e. of the next record that it will read; none if it never did.
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

    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }
}
