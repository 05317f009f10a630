use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;
use quipu_config::SinkType;
use quipu_reporter::KafkaRecorder;
use serde::Serialize;

use crate::instruments::fan_out;

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

const POINTS: (&str, &str) = ("quipu_sink_points_total", "Aggregates that the sink's target accepted");
const REJECTED: (&str, &str) = (
    "quipu_sink_rejected_total",
    "Records left out: aggregates that the target can't store, and records on their topic that are not aggregates",
);
const RETRIES: (&str, &str) = ("quipu_sink_retries_total", "Writes that failed and were retried");
const CLEANED: (&str, &str) = ("quipu_sink_cleaned_total", "Points of which a name or a value was cleaned");
const LAG: (&str, &str) = ("quipu_sink_lag", "Offsets of the totals' topic after the sink's committed position");

/// The state of a sink, for its metrics and the query API.
pub(crate) struct Status {
    name: String,
    kind: SinkType,
    points: Count,
    rejected: Count,
    retries: Count,
    cleaned: Count,
    lag: AtomicI64,
    lag_gauge: Gauge,
    failing: Mutex<Option<String>>,
}

/// A sink's status at one moment.
#[derive(Debug, Serialize)]
pub(crate) struct Snapshot {
    name: String,
    #[serde(rename = "type")]
    kind: SinkType,
    points: u64,
    rejected: u64,
    retries: u64,
    cleaned: u64,
    lag: i64,
    /// The error of the last write, if it failed.
    failing: Option<String>,
}

impl Status {
    pub(crate) fn new(
        name: &str,
        kind: SinkType,
        prometheus: &Arc<PrometheusRecorder>,
        reporter: &KafkaRecorder,
    ) -> Arc<Self> {
        let both = fan_out(prometheus, reporter);
        let label = || vec![Label::new("sink", name.to_owned())];
        let count = |(metric, help): (&'static str, &'static str)| {
            prometheus.describe_counter(metric.into(), None, help.into());
            Count::new(both.register_counter(&Key::from_parts(metric, label()), &METADATA))
        };
        prometheus.describe_gauge(LAG.0.into(), None, LAG.1.into());
        Arc::new(Self {
            name: name.to_owned(),
            kind,
            points: count(POINTS),
            rejected: count(REJECTED),
            retries: count(RETRIES),
            cleaned: count(CLEANED),
            lag: AtomicI64::new(0),
            lag_gauge: prometheus.register_gauge(&Key::from_parts(LAG.0, label()), &METADATA),
            failing: Mutex::new(None),
        })
    }

    pub(crate) fn written(&self, points: usize, cleaned: usize, rejected: usize) {
        self.points.add(points);
        self.cleaned.add(cleaned);
        self.rejected.add(rejected);
        *self.failing() = None;
    }

    pub(crate) fn unreadable(&self, records: usize) {
        self.rejected.add(records);
    }

    pub(crate) fn failed(&self, why: &str) {
        self.retries.add(1);
        *self.failing() = Some(why.to_owned());
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus' gauges are floats")]
    pub(crate) fn lag(&self, lag: i64) {
        self.lag.store(lag, Ordering::Relaxed);
        self.lag_gauge.set(lag as f64);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            name: self.name.clone(),
            kind: self.kind,
            points: self.points.get(),
            rejected: self.rejected.get(),
            retries: self.retries.get(),
            cleaned: self.cleaned.get(),
            lag: self.lag.load(Ordering::Relaxed),
            failing: self.failing().clone(),
        }
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A counter that the status can read, which a [`Counter`] can't be.
struct Count {
    value: AtomicU64,
    counter: Counter,
}

impl Count {
    fn new(counter: Counter) -> Self {
        Self { value: AtomicU64::new(0), counter }
    }

    fn add(&self, by: usize) {
        self.value.fetch_add(by as u64, Ordering::Relaxed);
        self.counter.increment(by as u64);
    }

    fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}
