//! Runs the aggregator on a thread of its own. The experiment reads its totals from Kafka only.

use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow};
use quipu_config::Config;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::event::Event;

pub(crate) struct Aggregator {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Aggregator {
    pub(crate) fn start(config: Config, events: SyncSender<Event>) -> Result<Self> {
        let runtime = Runtime::new().context("no runtime")?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("aggregator".to_owned()).spawn(move || {
            // A dropped sender means stop, too.
            let stopped = async { drop(stopped.await) };
            let result = runtime
                .block_on(quipu_aggregator::run(config, env!("CARGO_PKG_VERSION"), stopped))
                .context("the aggregator failed");
            let _ = events.send(Event::AggregatorStopped);
            result
        });
        Ok(Self { stop, thread: thread.context("no thread for the aggregator")? })
    }

    /// Stops the aggregator after its last commit.
    ///
    /// # Errors
    /// The aggregator failed earlier, or its clean shutdown failed.
    pub(crate) fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_else(|_| Err(anyhow!("the aggregator panicked")))
    }
}
