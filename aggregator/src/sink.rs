//! The second topology: from the topic of the totals to where people look.
//!
//! Each sink is a consumer group and a thread of its own, so that a slow or dead target delays nobody else. The pure
//! parts say what is written ([`influxdb::line_protocol`], [`graphite::line`]), what becomes of it ([`outbox`]) and how long to
//! wait after a failure ([`retry`]).

mod batch;
mod clean;
mod graphite;
#[cfg(feature = "influxdb")]
mod influxdb;
mod outbox;
mod reader;
mod retry;
mod runner;
mod status;
mod stdout;
mod target;

use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusRecorder;
use quipu_config::{Config, Sink, SinkType};
use quipu_reporter::KafkaRecorder;
use tracing::warn;

pub(crate) use clean::push_cleaned;
pub(crate) use status::{Snapshot, Status};

use crate::error::Error;
use crate::shared::Shared;
use graphite::Graphite;
use reader::Reader;
use runner::Runner;
use stdout::Lines;
use target::Target;

/// How long a stopping process waits for the writes that its sinks have under way.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
const DEFECT: &str =
    "it ended by a defect, which the log above has; what it did not commit is written again at the next start";

/// The sinks of this process.
pub(crate) struct Sinks {
    threads: Vec<(String, JoinHandle<Result<(), Error>>)>,
}

impl Sinks {
    /// Starts a thread for each, and adds what they do to `statuses`.
    pub(crate) fn start(
        config: &Config,
        shared: &Shared,
        prometheus: &PrometheusRecorder,
        reporter: &KafkaRecorder,
        statuses: &OnceLock<Vec<Arc<Status>>>,
    ) -> Result<Self, Error> {
        let mut runners = Vec::new();
        for sink in &config.sinks {
            let status = Status::new(&sink.name, sink.kind, prometheus, reporter);
            let group = sink.group(&config.application_id);
            let reader = Reader::new(config, &group, Arc::clone(&status))?;
            let target = target(sink).map_err(|why| Error::Sink { name: sink.name.clone(), why })?;
            runners.push(Runner::new(sink.name.clone(), reader, target, status, shared.clone()));
        }
        statuses.get_or_init(|| runners.iter().map(|runner| Arc::clone(&runner.status)).collect());
        let mut threads = Vec::new();
        for runner in runners {
            let name = runner.name.clone();
            let thread = thread::Builder::new().name(format!("sink-{name}")).spawn(move || runner.run());
            threads.push((name, thread.map_err(|error| Error::Thread(error.to_string()))?));
        }
        Ok(Self { threads })
    }

    /// Waits until every sink has ended by itself.
    ///
    /// # Errors
    /// One ended by a defect, or because its consumer is stuck, now; nobody would write what it has read.
    pub(crate) async fn ended(&mut self) -> Result<(), Error> {
        while !self.threads.is_empty() {
            match self.threads.iter().position(|(_, thread)| thread.is_finished()) {
                Some(at) => {
                    let (name, thread) = self.threads.swap_remove(at);
                    thread.join().unwrap_or_else(|_| Err(Error::Sink { name, why: DEFECT.to_owned() }))?;
                }
                None => tokio::time::sleep(POLL).await,
            }
        }
        Ok(())
    }

    /// Waits for what is under way, after [`Shared::stop`]. A sink whose target hangs is left behind: what it did not
    /// commit is written again at the next start.
    pub(crate) async fn stopped(self) {
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !self.have_ended() && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        for (name, thread) in self.threads {
            if !thread.is_finished() {
                warn!(sink = name, "the sink's last write is not answered; it is written again at the next start");
            } else if thread.join().is_err() {
                warn!(sink = name, "{DEFECT}");
            }
        }
    }

    fn have_ended(&self) -> bool {
        self.threads.iter().all(|(_, thread)| thread.is_finished())
    }
}

fn target(sink: &Sink) -> Result<Box<dyn Target + Send>, String> {
    match sink.kind {
        SinkType::Stdout => Ok(Box::new(Lines(std::io::stdout()))),
        SinkType::Graphite => {
            let address = sink.address.clone().unwrap_or_default();
            let template = sink.template.clone().unwrap_or_default();
            Ok(Box::new(Graphite::new(address, template, sink.tags, sink.timeout, sink.settle())))
        }
        SinkType::Influxdb => influxdb(sink),
    }
}

#[cfg(feature = "influxdb")]
fn influxdb(sink: &Sink) -> Result<Box<dyn Target + Send>, String> {
    Ok(Box::new(influxdb::InfluxDb::of(sink)?))
}

#[cfg(not(feature = "influxdb"))]
fn influxdb(_: &Sink) -> Result<Box<dyn Target + Send>, String> {
    Err("this build has no HTTP client; build Quipu with the feature influxdb (one of its defaults)".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use quipu_record::{Aggregate, AggregateType, Millis, Offset, Series};

    use super::*;

    fn sinks(threads: impl IntoIterator<Item = (&'static str, JoinHandle<Result<(), Error>>)>) -> Sinks {
        Sinks { threads: threads.into_iter().map(|(name, thread)| (name.to_owned(), thread)).collect() }
    }

    #[tokio::test]
    async fn a_sink_that_ends_by_a_defect_is_an_error_while_others_run() {
        let (until, stop) = std::sync::mpsc::sync_channel::<()>(1);
        let works = thread::spawn(move || {
            stop.recv().unwrap_or_default();
            Ok(())
        });
        let closed = thread::spawn(|| Ok(()));
        let broken = thread::spawn(|| std::panic::resume_unwind(Box::new("a defect")));
        let mut sinks = sinks([("works", works), ("closed", closed), ("broken", broken)]);
        let error = sinks.ended().await.expect_err("a defect").to_string();
        assert!(error.starts_with("sink broken: it ended by a defect"), "{error}");
        drop(until);
        assert!(sinks.ended().await.is_ok(), "the others end by themselves");
    }

    /// An aggregate with this count, at the time 0.
    pub(crate) fn aggregate(count: i64) -> Aggregate {
        let series = Series::new("records", [("topic", "auth")]).expect("a series");
        let kind = AggregateType::Counter;
        Aggregate { series, kind, count: i128::from(count), timestamp: Millis(0), offset: Offset(0), instances: 1 }
    }

    /// Series of names and values that mean harm, short enough to be kept whole by every target.
    pub(crate) fn series() -> impl Strategy<Value = Series> {
        let text = "\\PC{1,8}|[a-z_xA20#,= \\\\\"\n\r\t;.{}]{1,12}|[\\\\,= ]{1,4}|time|total|name|_field|__name__";
        let labels = prop::collection::vec((text, text), 0..4);
        (text, labels).prop_filter_map("a label stands twice", |(name, labels)| Series::new(name, labels).ok())
    }
}
