//! The second topology: it copies totals from their topic to databases and to standard output.
//!
//! Each sink has a consumer group and a thread of its own, so that a slow or dead target delays no other sink. The pure
//! modules decide what is written ([`influxdb::line_protocol`], [`graphite::line`]), what is committed or retried
//! ([`outbox`]) and how long the sink waits after a failure ([`retry`]).

mod batch;
mod clean;
pub(crate) mod graphite;
#[cfg(feature = "influxdb")]
pub(crate) mod influxdb;
mod outbox;
mod reader;
mod retry;
mod runner;
mod status;
mod stdout;
mod target;

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusRecorder;
use quipu_config::{Config, Influxdb, Sink, SinkOptions};
use quipu_reporter::KafkaRecorder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
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

/// How long a stopping process waits for the writes of its sinks that are under way.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const PANICKED: &str =
    "its thread panicked, see the log above; what it did not commit is written again at the next start";

/// The sinks of this process.
#[derive(Default)]
pub(crate) struct Sinks {
    /// The names of the sinks that run.
    names: Vec<String>,
    /// A task for each sink, which waits for the end of the sink's thread. A sink is not a blocking task itself, because
    /// the runtime would wait at its end for a sink whose target hangs.
    ends: JoinSet<(String, Result<(), Error>)>,
}

impl Sinks {
    /// Starts a thread for each sink of `config`, and adds the status of each to `statuses`.
    pub(crate) fn start(
        config: &Config,
        shared: &Shared,
        prometheus: &Arc<PrometheusRecorder>,
        reporter: &KafkaRecorder,
        statuses: &OnceLock<Vec<Arc<Status>>>,
    ) -> Result<Self, Error> {
        let mut runners = Vec::new();
        for sink in &config.sinks {
            let status = Status::new(&sink.name, sink.kind(), prometheus, reporter);
            let group = sink.group(&config.application_id);
            let reader = Reader::new(config, &group, Arc::clone(&status))?;
            let target = target(sink).map_err(|why| Error::Sink { name: sink.name.clone(), why })?;
            runners.push(Runner::new(sink.name.clone(), reader, target, status, shared.clone()));
        }
        statuses.get_or_init(|| runners.iter().map(|runner| Arc::clone(&runner.status)).collect());
        let mut sinks = Self::default();
        for runner in runners {
            sinks.spawn(runner.name.clone(), move || runner.run())?;
        }
        Ok(sinks)
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Result<(), Error> {
        let (sender, ended) = oneshot::channel();
        let thread = thread::Builder::new().name(format!("sink-{name}"));
        thread.spawn(move || sender.send(run())).map_err(Error::thread)?;
        self.names.push(name.clone());
        self.ends.spawn(async move {
            // A thread that panics drops its sender.
            let result =
                ended.await.unwrap_or_else(|_| Err(Error::Sink { name: name.clone(), why: PANICKED.to_owned() }));
            (name, result)
        });
        Ok(())
    }

    /// Waits until every sink has ended by itself. The future can be dropped and made again.
    ///
    /// # Errors
    /// A sink panicked or its consumer hangs. Then nothing writes what this sink has read.
    pub(crate) async fn ended(&mut self) -> Result<(), Error> {
        while let Some((_, result)) = self.next().await {
            result?;
        }
        Ok(())
    }

    /// Waits for the writes that are under way, after [`Shared::stop`]. A sink whose target hangs is not waited for: what
    /// it did not commit is written again at the next start.
    pub(crate) async fn stopped(mut self) {
        let all = async {
            while let Some((sink, result)) = self.next().await {
                if let Err(error) = result {
                    warn!(sink, %error, "the sink failed while it stopped");
                }
            }
        };
        if timeout(STOP_TIMEOUT, all).await.is_err() {
            for sink in self.names {
                warn!(sink, "the target did not answer the sink's last write, which is repeated at the next start");
            }
        }
    }

    /// The next sink that ends, and how.
    async fn next(&mut self) -> Option<(String, Result<(), Error>)> {
        let (name, result) = self.ends.join_next().await?.ok()?;
        self.names.retain(|running| *running != name);
        Some((name, result))
    }
}

fn target(sink: &Sink) -> Result<Box<dyn Target + Send>, String> {
    match &sink.options {
        SinkOptions::Stdout => Ok(Box::new(Lines(std::io::stdout()))),
        SinkOptions::Graphite(options) => Ok(Box::new(Graphite::new(options, sink.timeout))),
        SinkOptions::Influxdb(options) => influxdb(options, sink.timeout),
    }
}

#[cfg(feature = "influxdb")]
fn influxdb(options: &Influxdb, timeout: Duration) -> Result<Box<dyn Target + Send>, String> {
    Ok(Box::new(influxdb::InfluxDb::new(options, timeout)?))
}

#[cfg(not(feature = "influxdb"))]
fn influxdb(_: &Influxdb, _: Duration) -> Result<Box<dyn Target + Send>, String> {
    Err("this build has no HTTP client; build Quipu with the feature influxdb (a default)".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use quipu_record::{Aggregate, Millis, Offset, Series, Total};

    use super::*;

    #[tokio::test]
    async fn a_sink_that_panics_is_an_error_while_others_run() {
        let mut sinks = Sinks::default();
        let (until, stop) = std::sync::mpsc::sync_channel::<()>(1);
        let works = move || {
            stop.recv().unwrap_or_default();
            Ok(())
        };
        sinks.spawn("works".to_owned(), works).expect("a thread");
        sinks.spawn("closed".to_owned(), || Ok(())).expect("a thread");
        sinks.spawn("broken".to_owned(), || std::panic::resume_unwind(Box::new("a defect"))).expect("a thread");
        let error = sinks.ended().await.expect_err("a panic").to_string();
        assert!(error.starts_with("sink broken: its thread panicked"), "{error}");
        drop(until);
        assert!(sinks.ended().await.is_ok(), "the others end by themselves");
    }

    /// An aggregate with this count, at the time 0.
    pub(crate) fn aggregate(count: i64) -> Aggregate {
        let series = Series::new("records", [("topic", "auth")]).expect("a series");
        let total = Total::Counter(count.into());
        Aggregate { series, total, timestamp: Millis(0), offset: Offset(0), instances: 1 }
    }

    /// Series with hostile names and values, short enough that no target cuts them.
    pub(crate) fn series() -> impl Strategy<Value = Series> {
        let text = "\\PC{1,8}|[a-z_xA20#,= \\\\\"\n\r\t;.{}]{1,12}|[\\\\,= ]{1,4}|time|total|name|_field|__name__";
        let labels = prop::collection::vec((text, text), 0..4);
        (text, labels).prop_filter_map("a label occurs twice", |(name, labels)| Series::new(name, labels).ok())
    }
}
