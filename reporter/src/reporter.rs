use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::control::Control;
use crate::forwarder::Forwarder;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::{Error, KafkaReporterBuilder, Stats};

/// Publishes the counters of this process to Kafka for as long as it lives.
///
/// Made by [`KafkaReporter::builder`]. Keep it until the end of the program, for its `Drop` sends the final report and
/// ends the reporting. It can be shared between threads; the methods that wait must not be called on the threads of an
/// async runtime (use its `spawn_blocking`).
#[must_use = "dropping the reporter ends the reporting: keep it until the end of the program"]
pub struct KafkaReporter {
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    life: Mutex<Life>,
}

/// What there is once for each run.
#[derive(Clone)]
struct Life {
    pid: u32,
    run: Uuid,
    control: Arc<Control>,
}

impl KafkaReporter {
    /// Describes a reporter to these brokers, as `host:port[,host:port…]`.
    pub fn builder(brokers: impl Into<String>) -> KafkaReporterBuilder {
        KafkaReporterBuilder::new(brokers.into())
    }

    pub(crate) fn start(settings: Arc<Settings>, registry: Arc<Registry>, prepared: Prepared) -> Result<Self, Error> {
        let life = prepared.start()?;
        Ok(Self { settings, registry, life: Mutex::new(life) })
    }

    /// Waits until Kafka has acknowledged every count that was made before this call.
    ///
    /// A consumer calls it before it commits its offsets. It does not wait for the interval to end. Counts that another
    /// thread makes meanwhile may or may not be among them.
    ///
    /// # Errors
    /// [`Error::Timeout`]: not in time; a later report will have these counts. [`Error::ShutDown`] after
    /// [`shutdown`](Self::shutdown). [`Error::Forked`] in a forked child.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        self.own_life()?.control.flush(timeout)
    }

    /// Sends the final report, waits until Kafka has acknowledged it, and ends the reporting.
    ///
    /// Counting goes on to be harmless, but is not reported any more. A second call waits for the same final report.
    ///
    /// # Errors
    /// [`Error::Timeout`]: not in time; the attempts go on until the reporter is dropped. [`Error::ShutDown`]: the
    /// thread ended before it could. [`Error::Forked`] in a forked child.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), Error> {
        self.own_life()?.control.stop(timeout)
    }

    /// What the reporter has done so far, and what it could not do. Never waits for Kafka.
    #[must_use]
    pub fn stats(&self) -> Stats {
        // What the thread holds in the parent may be locked for ever in a forked child.
        let Ok(life) = self.own_life() else { return Stats { forked: true, ..Stats::default() } };
        let mut stats = Stats::default();
        self.registry.fill(&mut stats);
        life.control.progress().fill(&mut stats);
        stats
    }

    /// The name of this running copy.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.settings.instance
    }

    /// The run: a UUIDv7 made at the start.
    #[must_use]
    pub fn run(&self) -> Uuid {
        self.life().run
    }

    /// Begins a new run in a child that was forked from the process which built the reporter. In any other process it
    /// does nothing.
    ///
    /// The reporter's thread does not come along into a forked child, and what was counted so far belongs to the
    /// parent's run, which goes on. So this is to be the first thing that the child does with metrics: it sets all
    /// counters to zero (handles stay valid) and starts reporting under a new run. Until then the child's counts are
    /// not reported, [`flush`](Self::flush) and [`shutdown`](Self::shutdown) fail with [`Error::Forked`], and `Drop`
    /// does nothing.
    ///
    /// Fork while no other thread counts or registers: as for any program with threads, a lock that one of them holds
    /// at that moment stays locked in the child. Forking before the reporter is built avoids all of this.
    ///
    /// # Errors
    /// [`Error::Client`] and [`Error::Thread`]: the new run could not be started.
    pub fn restart_after_fork(&self) -> Result<(), Error> {
        if self.own_life().is_ok() {
            return Ok(());
        }
        let prepared = Prepared::new(&self.settings, &self.registry)?;
        self.registry.restart();
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = prepared.start()?;
        Ok(())
    }

    fn life(&self) -> Life {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn own_life(&self) -> Result<Life, Error> {
        let life = self.life();
        if life.pid == (self.settings.pid)() { Ok(life) } else { Err(Error::Forked) }
    }
}

impl Drop for KafkaReporter {
    /// Unless [`shutdown`](Self::shutdown) was called before, sends the final report and waits for it, for at most
    /// [`drop_timeout`](KafkaReporterBuilder::drop_timeout).
    fn drop(&mut self) {
        let Ok(life) = self.own_life() else { return };
        if !life.control.is_stopping()
            && let Err(error) = life.control.stop(self.settings.drop_timeout)
        {
            tracing::warn!(%error, "the final report was not acknowledged before the reporter was dropped");
        }
        life.control.abandon();
    }
}

impl fmt::Debug for KafkaReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaReporter").field("instance", &self.settings.instance).finish_non_exhaustive()
    }
}

/// A run whose Kafka client works; what is left to do can hardly fail.
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

    fn start(self) -> Result<Life, Error> {
        Ok(Life { pid: self.pid, run: self.run, control: self.forwarder.start()? })
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

    /// A fork as the reporter sees it: another process number, and no thread. (A real one needs `unsafe`.)
    #[test]
    fn a_forked_child_is_told_so_and_its_restart_is_a_run_of_its_own() {
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
        reporter.flush(DEADLINE).unwrap();
        assert!(!reporter.stats().forked);

        assert_ne!(parent, child);
        assert_eq!(last_count(&broker, parent), Some((100, true)));
        assert_eq!(last_count(&broker, child), Some((3, false)));

        PID.store(3, Ordering::Relaxed);
        drop(reporter);
    }

    /// What the last report of a run has for its counter, and whether it is the final one.
    fn last_count(broker: &EmbeddedBroker, run: Uuid) -> Option<(u64, bool)> {
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
                last = report.values().next().map(|(_, quipu_record::Value::Counter(value))| (value, report.is_final));
            }
            if message.offset() + 1 == end {
                return last;
            }
        }
    }
}
