//! The programs that the experiment watches, started as processes of their own from the same binary: a producer and
//! consumers as anybody might write them, each with a reporter.

mod args;
mod connection;
mod consumer;
mod pace;
pub(crate) mod parent;
mod producer;

use anyhow::{Context as _, Result};

pub use args::DemoChild;
pub(crate) use args::{Connection, ConsumerArgs, ProducerArgs};

/// How many partitions the records are dealt out to.
pub(crate) const PARTITIONS: i32 = 4;

/// Runs one of the experiment's programs until it is done, is told to stop by a line on standard input, or its parent
/// is gone.
///
/// # Errors
/// Kafka can't be used, or the ids can't be written down.
pub fn run_child(child: &DemoChild) -> Result<()> {
    match child {
        DemoChild::Producer(args) => producer::run(args),
        DemoChild::Consumer(args) => consumer::run(args),
    }
    .with_context(|| format!("{} failed", child.connection().instance))
}
