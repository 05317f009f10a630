//! Kafka: the log that the engine reads from and writes to, the clients that it is made of, and the topics.

mod kafka_log;
mod log_end;
mod publisher;
mod restorer;
mod source;
mod topics;

pub(crate) use kafka_log::KafkaLog;
pub(crate) use log_end::watch as watch_log_end;
pub(crate) use source::{Interruption, Rebalance, Source};
pub(crate) use topics::ensure;
