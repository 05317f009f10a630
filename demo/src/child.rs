//! The programs that the experiment watches: a producer and two consumers. Each is a process of its own, started from
//! this binary, and has a reporter.

mod args;
mod connection;
mod consumer;
mod pace;
pub(crate) mod parent;
mod producer;

use anyhow::{Context as _, Result};

pub use args::DemoChild;
pub(crate) use args::{Connection, ConsumerArgs, ProducerArgs};

/// The number of partitions of the topic of records.
pub(crate) const PARTITIONS: i32 = 4;

/// Runs one of the experiment's programs until it is done, receives a command to stop on standard input, or standard
/// input ends because the parent process is gone.
///
/// # Errors
/// Kafka can't be used, or the file of record ids can't be written.
pub fn run_child(child: &DemoChild) -> Result<()> {
    match child {
        DemoChild::Producer(args) => producer::run(args),
        DemoChild::Consumer(args) => consumer::run(args),
    }
    .with_context(|| format!("{} failed", child.connection().instance))
}
