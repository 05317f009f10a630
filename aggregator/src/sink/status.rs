use std::sync::Arc;

use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;
use quipu_reporter::KafkaRecorder;

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

const POINTS: (&str, &str) = ("quipu_sink_points_total", "Aggregates that the sink's target has accepted");
const REJECTED: (&str, &str) = ("quipu_sink_rejected_total", "Aggregates that the target can't have, and bad records");
const RETRIES: (&str, &str) = ("quipu_sink_retries_total", "Writes that failed and were done again");
const CLEANED: (&str, &str) = ("quipu_sink_cleaned_total", "Points of which a name or a value had to be cleaned");
const LAG: (&str, &str) = ("quipu_sink_lag", "Records of the totals' topic after the sink's position");

/// What a sink does, as its metrics tell it.
pub(crate) struct Status {
    points: Count,
    rejected: Count,
    retries: Count,
    cleaned: Count,
    lag: Gauge,
}

impl Status {
    pub(crate) fn new(name: &str, prometheus: &PrometheusRecorder, reporter: &KafkaRecorder) -> Arc<Self> {
        let label = || vec![Label::new("sink", name.to_owned())];
        let count = |(metric, help): (&'static str, &'static str)| {
            prometheus.describe_counter(metric.into(), None, help.into());
            let key = Key::from_parts(metric, label());
            Count([prometheus.register_counter(&key, &METADATA), reporter.register_counter(&key, &METADATA)])
        };
        prometheus.describe_gauge(LAG.0.into(), None, LAG.1.into());
        Arc::new(Self {
            points: count(POINTS),
            rejected: count(REJECTED),
            retries: count(RETRIES),
            cleaned: count(CLEANED),
            lag: prometheus.register_gauge(&Key::from_parts(LAG.0, label()), &METADATA),
        })
    }

    pub(crate) fn written(&self, points: usize, cleaned: usize, rejected: usize) {
        self.points.add(points);
        self.cleaned.add(cleaned);
        self.rejected.add(rejected);
    }

    pub(crate) fn unreadable(&self, records: usize) {
        self.rejected.add(records);
    }

    pub(crate) fn failed(&self) {
        self.retries.add(1);
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus' gauges are floats")]
    pub(crate) fn lag(&self, lag: i64) {
        self.lag.set(lag as f64);
    }
}

struct Count([Counter; 2]);

impl Count {
    fn add(&self, by: usize) {
        for counter in &self.0 {
            counter.increment(by as u64);
        }
    }
}
