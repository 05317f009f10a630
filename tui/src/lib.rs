//! What an operator watches: the fleet's state read from Kafka.
//!
//! [`Source`] reads, [`Fleet`] folds what it read into what can be asked. Neither knows of a screen.

mod batch;
mod fleet;
mod source;

pub use batch::{Batch, Connection, GroupOffset, LagReport, RawRecord, Topic, TopicState};
pub use fleet::{
    Audit, Event, EventKind, Fleet, Group, History, Limits, ObservedSeries, Pipeline, ReadTopic, Run, RunId, RunState,
    SeriesId, Total,
};
pub use source::{Source, SourceError, SourceOptions};
