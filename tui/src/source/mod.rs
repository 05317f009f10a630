//! Reads Kafka as an outside observer: no group is joined, nothing is committed, no topic is created.

mod client;
mod options;
mod reader;
mod stop;
mod watcher;

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use rdkafka::error::KafkaError;

use crate::batch::{Batch, Topic};
use client::Context;
use reader::Reader;
use stop::Stop;
use watcher::Watcher;

pub use options::SourceOptions;

/// So many batches wait at most for whoever folds them; the readers wait then.
const BATCHES: usize = 16;

/// How long a source that is dropped waits for its threads.
const GRACE: Duration = Duration::from_millis(300);

/// Why reading could not begin. Whatever time can heal (no broker, no topic) is no error but a state in a [`Batch`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// librdkafka refuses the configuration.
    #[error("no Kafka client could be made: check the librdkafka properties")]
    Client(#[source] KafkaError),
    /// The operating system refuses a thread.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
}

/// Reads `metrics` and `metrics-agg` from their beginning, on threads of its own, until it is dropped.
///
/// ```no_run
/// use std::time::{Duration, SystemTime};
/// use quipu_tui::{Fleet, Source, SourceOptions};
///
/// let source = Source::start(SourceOptions { brokers: "localhost:9092".to_owned(), ..SourceOptions::default() })?;
/// let mut fleet = Fleet::default();
/// loop {
///     let batch = source.recv_timeout(Duration::from_millis(250));
///     let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as i64;
///     if let Some(batch) = batch {
///         fleet.apply(&batch, now);
///     }
///     fleet.tick(now);
///     for audit in fleet.audits() {
///         println!("{}: {:?}", audit.name, audit.delta_count());
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Source {
    /// Taken when it is dropped, so that no reader waits for room that nobody makes.
    batches: Option<Receiver<Batch>>,
    stop: Stop,
    /// Disconnected as soon as all threads have ended; nothing is ever sent.
    ended: Receiver<Infallible>,
}

impl Source {
    /// Begins to read. That there is no broker or no topic is not an error: both are waited for.
    pub fn start(options: SourceOptions) -> Result<Self, SourceError> {
        let (sender, batches) = sync_channel(BATCHES);
        let (running, ended) = sync_channel(0);
        let source = Self { batches: Some(batches), stop: Stop::default(), ended };
        let config = options.client_config();
        for topic in [Topic::Metrics, Topic::Aggregates] {
            // librdkafka wants a group even of a consumer that is in none.
            let group = format!("quipu-top-{}", uuid::Uuid::now_v7());
            let consumer = config
                .clone()
                .set("group.id", group)
                .create_with_context(Context::default())
                .map_err(SourceError::Client)?;
            let name = options.topic(topic).to_owned();
            let reader = Reader { topic, name, consumer, batches: sender.clone(), stop: source.stop.clone() };
            spawn("quipu-reader", running.clone(), move || drop(reader.run()))?;
        }
        let mut watcher = Watcher::new(options, config, sender, source.stop.clone()).map_err(SourceError::Client)?;
        spawn("quipu-watcher", running, move || drop(watcher.run()))?;
        Ok(source)
    }

    /// The next batch; none if there is none within this time.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Batch> {
        self.batches.as_ref()?.recv_timeout(timeout).ok()
    }
}

/// Runs something on a thread that lets go of `running` when it ends.
fn spawn(name: &str, running: SyncSender<Infallible>, run: impl FnOnce() + Send + 'static) -> Result<(), SourceError> {
    let run = move || {
        run();
        drop(running);
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop).map_err(SourceError::Thread)
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop.set();
        drop(self.batches.take());
        // A thread that waits for a broker's answer ends when its time is over, which nobody need wait for.
        let _ = self.ended.recv_timeout(GRACE);
    }
}
