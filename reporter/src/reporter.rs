use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::control::Control;
use crate::forwarder::Forwarder;
use crate::processed::Processed;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::{Error, KafkaReporterBuilder, Stats};

/// Publishes the counters of this process to Kafka for as long as it lives.
///
/// Created by [`KafkaReporter::builder`]. Keep it until the end of the program: its `Drop` sends the final report and
/// ends the reporting. It can be shared between threads. The methods that wait must not be called on the threads of an
/// async runtime (use its `spawn_blocking`).
#[must_use = "dropping the reporter ends the reporting: keep it until the end of the program"]
pub struct KafkaReporter {
    shared: Arc<Shared>,
}

/// What a reporter shares with the values that are made by it.
pub(crate) struct Shared {
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    run_state: Mutex<RunState>,
}

/// The state of one run.
#[derive(Clone)]
struct RunState {
    pid: u32,
    run: Uuid,
    control: Arc<Control>,
}

impl KafkaReporter {
    /// Returns a builder for a reporter to these brokers (`host:port[,host:port…]`).
    pub fn builder(brokers: impl Into<String>) -> KafkaReporterBuilder {
        KafkaReporterBuilder::new(brokers.into())
    }

    pub(crate) fn start(settings: Arc<Settings>, registry: Arc<Registry>, prepared: Prepared) -> Result<Self, Error> {
        let state = prepared.start()?;
        Ok(Self { shared: Arc::new(Shared { settings, registry, run_state: Mutex::new(state) }) })
    }

    /// Waits until Kafka has acknowledged every count that was made before this call.
    ///
    /// A consumer calls it before it commits its offsets. It sends a report at once instead of waiting for the
    /// interval. Counts that other threads make during the call may or may not be included.
    ///
    /// # Errors
    /// [`Error::Timeout`]: Kafka did not acknowledge in time; a later report contains these counts. [`Error::ShutDown`]
    /// after [`shutdown`](Self::shutdown). [`Error::Forked`] in a forked child.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        self.shared.flush(timeout)
    }

    /// Sends the final report, waits until Kafka has acknowledged it, and ends the reporting.
    ///
    /// Counting stays possible afterwards, but is not reported any more. A second call waits for the same final report.
    ///
    /// # Errors
    /// [`Error::Timeout`]: Kafka did not acknowledge in time; retries continue until the reporter is dropped.
    /// [`Error::ShutDown`]: the thread ended before the final report was acknowledged. [`Error::Forked`] in a forked
    /// child.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), Error> {
        self.shared.own_run_state()?.control.stop(timeout)
    }

    /// What the reporter has done so far, and what failed. Never waits for Kafka.
    #[must_use]
    pub fn stats(&self) -> Stats {
        // The thread may have held a lock when the process was forked; in the child that lock is never released.
        let Ok(run) = self.shared.own_run_state() else { return Stats { forked: true, ..Stats::default() } };
        let mut stats = Stats::default();
        self.shared.registry.fill(&mut stats);
        run.control.progress().fill(&mut stats);
        stats
    }

    /// The name of this running copy.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.shared.settings.instance
    }

    /// The run: a UUIDv7 made at the start.
    #[must_use]
    pub fn run(&self) -> Uuid {
        self.shared.run_state().run
    }

    /// Begins a new run in a child that was forked from the process which built the reporter. In any other process it
    /// does nothing.
    ///
    /// The reporter's thread exists only in the parent, and the counts so far belong to the parent's run, which
    /// continues. So call this in the child before anything else that uses metrics: it sets all counters to zero
    /// (handles stay valid) and starts reporting under a new run. Until then the child's counts are not reported,
    /// [`flush`](Self::flush) and [`shutdown`](Self::shutdown) fail with [`Error::Forked`], and `Drop` does nothing.
    ///
    /// Fork while no other thread counts or registers: a lock that another thread holds at that moment stays locked in
    /// the child, as in any program with threads. Forking before the reporter is built avoids this.
    ///
    /// # Errors
    /// [`Error::Client`] and [`Error::Thread`]: the new run could not be started.
    pub fn restart_after_fork(&self) -> Result<(), Error> {
        let Shared { settings, registry, run_state } = &*self.shared;
        if self.shared.own_run_state().is_ok() {
            return Ok(());
        }
        let prepared = Prepared::new(settings, registry)?;
        registry.restart();
        *run_state.lock().unwrap_or_else(PoisonError::into_inner) = prepared.start()?;
        Ok(())
    }

    /// Reports under this name which records this process has processed, for the ledger. The name is that of the work,
    /// such as `orders`; all programs that do the same work use the same name.
    #[must_use]
    pub fn processed(&self, name: &str) -> Processed {
        Processed::new(Arc::clone(&self.shared), name)
    }
}

impl Shared {
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), Error> {
        self.own_run_state()?.control.flush(timeout)
    }

    fn run_state(&self) -> RunState {
        self.run_state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn own_run_state(&self) -> Result<RunState, Error> {
        let state = self.run_state();
        if state.pid == (self.settings.pid)() { Ok(state) } else { Err(Error::Forked) }
    }
}

impl Drop for KafkaReporter {
    /// Unless [`shutdown`](Self::shutdown) was called before, sends the final report and waits for it, for at most
    /// [`drop_timeout`](KafkaReporterBuilder::drop_timeout).
    fn drop(&mut self) {
        let Ok(state) = self.shared.own_run_state() else { return };
        if !state.control.is_stopping()
            && let Err(error) = state.control.stop(self.shared.settings.drop_timeout)
        {
            tracing::warn!(%error, "the final report was not acknowledged before the reporter was dropped");
        }
        state.control.abandon();
    }
}

impl fmt::Debug for KafkaReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaReporter").field("instance", &self.shared.settings.instance).finish_non_exhaustive()
    }
}

/// A run that is not started yet but whose Kafka client works; only starting its thread can still fail.
pub(crate) struct Prepared {
    pid: u32,
    run: Uuid,
    forwarder: Forwarder,
}

impl Prepared {
    pub(crate) fn new(settings: &Arc<Settings>, registry: &Arc<Registry>) -> Result<Self, Error> {
        let run = Uuid::now_v7();
        let forwarder = Forwarder::new(Arc::clone(settings), Arc::clone(registry), run)?;
        Ok(Self { pid: (settings.pid)(), run, forwarder })
    }

    fn start(self) -> Result<RunState, Error> {
        Ok(RunState { pid: self.pid, run: self.run, control: self.forwarder.start()? })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use metrics::{counter, with_local_recorder};
    use quipu_broker::EmbeddedBroker;
    use quipu_record::{Record, decode};
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::message::Message;
    use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(60);

    /// Simulates a fork as the reporter sees it: another process id, and no thread. (A real fork needs `unsafe`.)
    #[test]
    fn a_forked_child_gets_an_error_until_it_restarts_as_a_run_of_its_own() {
        static PID: AtomicU32 = AtomicU32::new(1);
        let broker = EmbeddedBroker::start().unwrap();
        broker.create_topic("metrics", 1).unwrap();
        let (recorder, reporter) = KafkaReporter::builder(broker.bootstrap_servers())
            .instance("app-1")
            .pid(|| PID.load(Ordering::Relaxed))
            .build()
            .unwrap();
        let handle = with_local_recorder(&recorder, || counter!("c"));
        handle.increment(100);
        let processed = reporter.processed("orders").partition("records", 0);
        processed.record(5);
        let parent = reporter.run();
        reporter.restart_after_fork().unwrap();
        assert_eq!(reporter.run(), parent, "nothing was forked");
        reporter.shutdown(DEADLINE).unwrap();

        PID.store(2, Ordering::Relaxed);
        assert!(matches!(reporter.flush(DEADLINE), Err(Error::Forked)));
        assert!(matches!(reporter.shutdown(DEADLINE), Err(Error::Forked)));
        assert!(reporter.stats().forked);

        reporter.restart_after_fork().unwrap();
        let child = reporter.run();
        handle.increment(3);
        processed.record(6);
        reporter.flush(DEADLINE).unwrap();
        assert!(!reporter.stats().forked);

        assert_ne!(parent, child);
        assert_eq!(last_count(&broker, parent), Some((100, vec![5], true)));
        assert_eq!(last_count(&broker, child), Some((3, vec![6], false)));

        PID.store(3, Ordering::Relaxed);
        drop(reporter);
    }

    /// The values in the last report of a run (the counter, and where ranges begin), and whether that report is the
    /// final one.
    fn last_count(broker: &EmbeddedBroker, run: Uuid) -> Option<(u64, Vec<i64>, bool)> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "reader")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "10")
            .create()
            .unwrap();
        let (_, end) = consumer.fetch_watermarks("metrics", 0, DEADLINE).unwrap();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset("metrics", 0, Offset::Beginning).unwrap();
        consumer.assign(&start).unwrap();
        let mut last = None;
        loop {
            let message = consumer.poll(DEADLINE).expect("no record before the deadline").unwrap();
            let Ok(Record::Report { key, report }) = decode(message.key(), message.payload()) else {
                panic!("not a report")
            };
            if key.run == run {
                let layers = report.ranges().flat_map(|(_, value)| value.layers.as_slice());
                let starts = layers.flat_map(quipu_record::Layer::ranges).map(|range| range.start.0).collect();
                let count = report.values().next().map(|(_, quipu_record::Value::Counter(value))| value);
                last = count.map(|count| (count, starts, report.is_final));
            }
            if message.offset() + 1 == end {
                return last;
            }
        }
    }
}
