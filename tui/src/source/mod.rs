//! Reads the topics from Kafka. The source joins no group, commits no offsets and creates no topics.

mod client;
mod options;
mod reader;
mod stop;
mod watcher;

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use quipu_kafka::Logged;
use rdkafka::error::KafkaError;

use crate::batch::{Batch, Topic};
use client::Context;
use reader::Reader;
use stop::Stop;
use watcher::Watcher;

pub use options::SourceOptions;

/// How many batches may be queued; the readers wait while the queue is full.
const BATCHES: usize = 16;

/// How long dropping a source waits for its threads.
const GRACE: Duration = Duration::from_millis(300);

/// The reason why a source could not start. A missing broker or topic is not an error but a state in a [`Batch`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// librdkafka rejected the configuration.
    #[error("no Kafka client could be created: check the librdkafka properties")]
    Client(#[source] KafkaError),
    /// The operating system started no thread.
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
    /// The queue of batches. It is dropped first, so that no reader waits for room in it.
    batches: Option<Receiver<Batch>>,
    stop: Stop,
    /// A channel without messages that is disconnected when all threads have ended.
    ended: Receiver<Infallible>,
}

impl Source {
    /// Starts to read. A missing broker or topic is not an error: the source retries until it exists.
    pub fn start(options: SourceOptions) -> Result<Self, SourceError> {
        let (sender, batches) = sync_channel(BATCHES);
        let (running, ended) = sync_channel(0);
        let source = Self { batches: Some(batches), stop: Stop::default(), ended };
        let config = options.client_config();
        let logged = Logged::new("source");
        for topic in [Topic::Metrics, Topic::Aggregates] {
            // librdkafka requires a group id even from a consumer that joins no group.
            let group = format!("quipu-top-{}", uuid::Uuid::now_v7());
            let consumer = config
                .clone()
                .set("group.id", group)
                .create_with_context(Context::new(&logged))
                .map_err(SourceError::Client)?;
            let name = options.topic(topic).to_owned();
            let reader = Reader { topic, name, consumer, batches: sender.clone(), stop: source.stop.clone() };
            spawn("quipu-reader", running.clone(), move || drop(reader.run()))?;
        }
        let mut watcher =
            Watcher::new(options, config, logged, sender, source.stop.clone()).map_err(SourceError::Client)?;
        spawn("quipu-watcher", running, move || drop(watcher.run()))?;
        Ok(source)
    }

    /// Returns the next batch; `None` if none comes within the timeout.
    #[must_use]
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Batch> {
        self.batches.as_ref()?.recv_timeout(timeout).ok()
    }
}

/// Runs a function on a thread of its own, which drops `running` when it ends.
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
        // A thread that waits for a broker's answer ends after the timeout of its request; dropping does not wait for that.
        let _ = self.ended.recv_timeout(GRACE);
    }
}
