//! The aggregator's own metrics.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;
use metrics_util::layers::{Fanout, FanoutBuilder};
use quipu_config::Limits;
use quipu_record::BadRecord;
use quipu_reporter::KafkaRecorder;
use quipu_topology::{Events, Outcome, Topology};

use crate::health::Freshness;
use crate::http::View;

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The aggregator's own metrics. Prometheus can scrape all of them. The reporter publishes the counters, too, as those of
/// one more instance.
pub(crate) struct Instruments {
    prometheus: Arc<PrometheusRecorder>,
    reporter: KafkaRecorder,
    outcomes: HashMap<&'static str, Counter>,
    /// Records applied since the counters were updated. This most frequent outcome is not looked up for each record.
    applied: u64,
    bad: HashMap<&'static str, Counter>,
    pub(crate) published: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) dead_letters_lost: Counter,
    pub(crate) commits: Counter,
    joined: Counter,
    left: Counter,
    silent: Counter,
    retired_runs: Counter,
    position: Gauge,
    rows: Gauge,
    markers: Gauge,
    table_bytes: Gauge,
    live_runs: Gauge,
    series: Gauge,
    commit_seconds: Histogram,
    commit_pause_seconds: Histogram,
}

impl Instruments {
    pub(crate) fn new(prometheus: Arc<PrometheusRecorder>, reporter: KafkaRecorder, limits: &Limits) -> Self {
        let described = Described(&prometheus);
        described.counter("quipu_records_total", "Records read from the source topic that are not bad, by outcome");
        described.counter("quipu_bad_records_total", "Records that could not be counted, by reason");
        let gauge = |name, help| described.gauge(name, help);
        let position = gauge("quipu_source_position", "The next offset to read from the source topic");
        let rows = gauge("quipu_rows", "Rows of the table: runs, their parts, and keys of plain counters");
        let markers =
            gauge("quipu_markers", "Expired runs that are remembered, so that no late record is counted again");
        let table_bytes = gauge("quipu_table_bytes", "The memory that the rows take, as an estimate");
        let live_runs = gauge("quipu_live_runs", "Runs that report: they neither left nor are silent");
        let series = gauge("quipu_series", "Series that have a total");
        limit(&described, "quipu_rows_limit", "The most rows that the table may have", limits.max_rows);
        limit(&described, "quipu_series_limit", "The most series that may have a total", limits.max_series);
        let commit_seconds = described.histogram("quipu_commit_seconds", "How long a commit took");
        let longest_step = "The longest step of each commit; no record is applied during a step";
        let commit_pause_seconds = described.histogram("quipu_commit_pause_seconds", longest_step);
        for (name, help) in [
            ("quipu_aggregates_published_total", "Aggregates that Kafka accepted"),
            ("quipu_dead_letters_total", "Bad records that were copied to the dead-letter topic"),
            ("quipu_dead_letters_lost_total", "Bad records whose copy Kafka rejected"),
            ("quipu_commits_total", "Commits of totals and position"),
            (
                "quipu_retired_runs_total",
                "Runs that expired: their rows were removed, and what they counted stays in the totals",
            ),
            ("quipu_run_events_total", "Changes of the state of runs, by event: joined, left or silent"),
        ] {
            described.counter(name, help);
        }
        let counters = fan_out(&prometheus, &reporter);
        let counter = |name| counters.register_counter(&Key::from_static_name(name), &METADATA);
        let event = |event| labeled(&counters, "quipu_run_events_total", "event", event);
        Self {
            outcomes: HashMap::new(),
            applied: 0,
            bad: HashMap::new(),
            published: counter("quipu_aggregates_published_total"),
            dead_letters: counter("quipu_dead_letters_total"),
            dead_letters_lost: counter("quipu_dead_letters_lost_total"),
            commits: counter("quipu_commits_total"),
            joined: event("joined"),
            left: event("left"),
            silent: event("silent"),
            retired_runs: counter("quipu_retired_runs_total"),
            prometheus,
            reporter,
            position,
            rows,
            markers,
            table_bytes,
            live_runs,
            series,
            commit_seconds,
            commit_pause_seconds,
        }
    }

    /// Counts a record. [`Self::records_read`] updates the counter of those that were applied.
    pub(crate) fn record(&mut self, result: &Result<Outcome, BadRecord>) {
        if let Ok(Outcome::Applied) = result {
            self.applied += 1;
        } else {
            self.count(result, 1);
        }
    }

    /// Updates the counter of the records that were applied.
    pub(crate) fn records_read(&mut self) {
        let applied = std::mem::take(&mut self.applied);
        if applied > 0 {
            self.count(&Ok(Outcome::Applied), applied);
        }
    }

    fn count(&mut self, result: &Result<Outcome, BadRecord>, by: u64) {
        let (counters, name, label, value) = match result {
            Ok(outcome) => (&mut self.outcomes, "quipu_records_total", "outcome", outcome_name(*outcome)),
            Err(bad) => (&mut self.bad, "quipu_bad_records_total", "reason", bad.reason()),
        };
        let register = || labeled(&fan_out(&self.prometheus, &self.reporter), name, label, value);
        counters.entry(value).or_insert_with(register).increment(by);
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus' gauges are floats")]
    pub(crate) fn table(&self, topology: &Topology) {
        self.rows.set(topology.rows() as f64);
        self.markers.set(topology.markers() as f64);
        self.table_bytes.set(topology.table_bytes() as f64);
        self.live_runs.set(topology.live_runs() as f64);
        self.series.set(topology.series() as f64);
        self.position.set(topology.position().0 as f64);
    }

    pub(crate) fn run_events(&self, Events { joined, left, silent, expired }: Events) {
        self.joined.increment(joined as u64);
        self.left.increment(left as u64);
        self.silent.increment(silent as u64);
        self.retired_runs.increment(expired as u64);
    }

    pub(crate) fn committed(&self, took: Duration, longest_step: Duration) {
        self.commits.increment(1);
        self.commit_seconds.record(took.as_secs_f64());
        self.commit_pause_seconds.record(longest_step.as_secs_f64());
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus' gauges are floats")]
fn limit(described: &Described<'_>, name: &'static str, help: &'static str, limit: usize) {
    described.gauge(name, help).set(limit as f64);
}

/// Names the version of the program in the labels of a gauge, as Prometheus' exporters do.
pub(crate) fn build_info(prometheus: &PrometheusRecorder, version: &'static str) {
    let (name, help) = ("quipu_build_info", "1; the label has the version of the program");
    prometheus.describe_gauge(name.into(), None, help.into());
    let label = Label::from_static_parts("version", version);
    prometheus.register_gauge(&Key::from_parts(name, vec![label]), &METADATA).set(1.0);
}

/// Whether the totals can be used, for Prometheus. They are set at each scrape, so that they are right while the task
/// makes no step.
#[derive(Clone)]
pub(crate) struct HealthGauges {
    ready: Gauge,
    lag: Gauge,
    age: Gauge,
    limit: Gauge,
}

impl HealthGauges {
    pub(crate) fn new(prometheus: &PrometheusRecorder) -> Self {
        let gauge = |name, help| Described(prometheus).gauge(name, help);
        Self {
            ready: gauge(
                "quipu_ready",
                "1 if the totals are available and not too old: the log was read to the end that it had at assignment",
            ),
            lag: gauge(
                "quipu_source_lag",
                "Records between the position and the log's end; NaN if the broker does not answer, or on a standby",
            ),
            age: gauge(
                "quipu_totals_age_seconds",
                "How long the oldest record that is not in the totals has been waiting; 0 if no such record was found",
            ),
            limit: gauge(
                "quipu_totals_age_limit_seconds",
                "The age of the totals above which the process is not ready",
            ),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus' gauges are floats")]
    pub(crate) fn set(&self, view: &View, freshness: &Freshness, now: Instant) {
        let ready = view.position().is_some() && freshness.stale(now).is_none();
        self.ready.set(if ready { 1.0 } else { 0.0 });
        self.lag.set(freshness.lag(now).map_or(f64::NAN, |lag| lag as f64));
        self.age.set(freshness.age(now).as_secs_f64());
        self.limit.set(freshness.limit().as_secs_f64());
    }
}

/// A recorder that registers each counter with both, so that Prometheus and the reporter publish it. A `Fanout` can't be
/// sent to another thread, so it is built again when a counter is registered later.
pub(crate) fn fan_out(prometheus: &Arc<PrometheusRecorder>, reporter: &KafkaRecorder) -> Fanout {
    FanoutBuilder::default().add_recorder(Arc::clone(prometheus)).add_recorder(reporter.clone()).build()
}

fn labeled(recorder: &Fanout, name: &'static str, label: &'static str, value: &'static str) -> Counter {
    recorder.register_counter(&Key::from_parts(name, vec![Label::from_static_parts(label, value)]), &METADATA)
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Restarted => "restarted",
        Outcome::Rebased => "rebased",
        Outcome::Removed => "removed",
        Outcome::Absent => "absent",
        Outcome::Stale => "stale",
        Outcome::Replayed => "replayed",
    }
}

/// Registers metrics with their help texts.
struct Described<'a>(&'a PrometheusRecorder);

impl Described<'_> {
    fn counter(&self, name: &'static str, help: &'static str) {
        self.0.describe_counter(name.into(), None, help.into());
    }

    fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        self.0.describe_gauge(name.into(), None, help.into());
        self.0.register_gauge(&Key::from_static_name(name), &METADATA)
    }

    fn histogram(&self, name: &'static str, help: &'static str) -> Histogram {
        self.0.describe_histogram(name.into(), None, help.into());
        self.0.register_histogram(&Key::from_static_name(name), &METADATA)
    }
}
