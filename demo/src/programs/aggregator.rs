//! The aggregator on a thread of its own. Nothing passes between it and the experiment but what it writes to Kafka.

use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow};
use quipu_config::Config;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::happening::Happening;

pub(crate) struct Aggregator {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Aggregator {
    pub(crate) fn start(config: Config, happenings: SyncSender<Happening>) -> Result<Self> {
        let runtime = Runtime::new().context("no runtime")?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("aggregator".to_owned()).spawn(move || {
            // That the sender is gone means stop, too.
            let stopped = async { drop(stopped.await) };
            let result = runtime.block_on(quipu_aggregator::run(config, stopped)).context("the aggregator failed");
            let _ = happenings.send(Happening::AggregatorEnded);
            result
        });
        Ok(Self { stop, thread: thread.context("no thread for the aggregator")? })
    }

    /// Lets it commit what it did, and end.
    ///
    /// # Errors
    /// Whatever ended it before, or keeps it from ending in order.
    pub(crate) fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_else(|_| Err(anyhow!("the aggregator panicked")))
    }
}
