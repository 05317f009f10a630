//! Kafka: the log that the engine reads from and writes to, the clients that it is made of, and the topics.

mod client;
mod kafka_log;
mod publisher;
mod restorer;
mod source;
mod topics;

pub(crate) use client::{client_config, log, report};
pub(crate) use kafka_log::KafkaLog;
pub(crate) use source::{Interruption, Rebalance, Source};
pub(crate) use topics::ensure;
