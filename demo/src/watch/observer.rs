//! Observes the experiment by reading `metrics` and `metrics-agg`, as any other program could.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use quipu_record::Series;
use quipu_tui::{Fleet, ObservedSeries, ObservedTotal, RunState, Source, SourceOptions};

use super::snapshot::Snapshot;

pub(crate) const SENT: &str = "records_sent";
pub(crate) const PROCESSED: &str = "records_processed";
pub(crate) const AUDIT: &str = "records";
pub(crate) const PRODUCER: &str = "producer";
pub(crate) const CONSUMERS: [&str; 2] = ["app-1", "app-2"];

/// Reads the counts of the fleet from the topics.
pub(crate) struct Observer {
    source: Source,
    fleet: Fleet,
    sent: Series,
    processed: Series,
}

impl Observer {
    pub(crate) fn start(options: SourceOptions) -> Result<Self> {
        let series = |name: &str| Series::new(name, [("", ""); 0]).context("a metric's name is not allowed");
        Ok(Self {
            source: Source::start(options).context("the fleet can't be watched")?,
            fleet: Fleet::default(),
            sent: series(SENT)?,
            processed: series(PROCESSED)?,
        })
    }

    /// Reads the topics for `time` at most, and returns the counts after that.
    pub(crate) fn observe(&mut self, time: Duration) -> Snapshot {
        let mut wait = time;
        while let Some(batch) = self.source.recv_timeout(wait) {
            self.fleet.apply(&batch, now_ms());
            wait = Duration::ZERO;
        }
        self.fleet.tick(now_ms());
        self.snapshot()
    }

    fn snapshot(&self) -> Snapshot {
        let (sent, processed) = (self.fleet.find(&self.sent), self.fleet.find(&self.processed));
        let total =
            |series: Option<&ObservedSeries>| series.and_then(ObservedSeries::total).map_or(0, ObservedTotal::count);
        let audit = self.fleet.audits().find(|audit| audit.name == AUDIT);
        Snapshot {
            sent: self.count(PRODUCER, sent),
            processed: CONSUMERS.map(|instance| self.count(instance, processed)),
            finished: [PRODUCER, CONSUMERS[0], CONSUMERS[1]].map(|instance| self.has_left(instance)),
            aggregate_sent: total(sent),
            aggregate_processed: total(processed),
            delta: audit.and_then(|audit| audit.delta_count()).unwrap_or(0),
        }
    }

    /// Returns the sum of an instance's counts of a series over its runs.
    fn count(&self, instance: &str, series: Option<&ObservedSeries>) -> u64 {
        let Some(series) = series else { return 0 };
        let runs = self.fleet.runs().filter(|run| run.instance() == instance);
        let count: u128 = runs.filter_map(|run| run.count(series.id())).sum();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    fn has_left(&self, instance: &str) -> bool {
        self.fleet.runs().any(|run| run.instance() == instance && run.state() == RunState::Left)
    }
}

fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
