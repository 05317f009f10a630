use quipu_record::Series;
use quipu_tui::{Batch, EventKind, Fleet, RawRecord, Run, Topic};
use uuid::Uuid;

use crate::support::synthetic::{START, caught_up, report, series};

pub(crate) const SECOND: i64 = 1_000;

/// A fleet whose topics were read to their ends, and a clock that the test moves.
pub(crate) struct Observed {
    pub(crate) fleet: Fleet,
    pub(crate) now: i64,
}

impl Observed {
    pub(crate) fn new() -> Self {
        Self::with(Fleet::default())
    }

    pub(crate) fn with(fleet: Fleet) -> Self {
        let mut observed = Self { fleet, now: START };
        for batch in caught_up() {
            observed.apply(batch);
        }
        observed
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests read better without ampersands")]
    pub(crate) fn apply(&mut self, batch: Batch) {
        self.fleet.apply(&batch, self.now);
    }

    pub(crate) fn metric(&mut self, record: RawRecord) {
        self.apply(Batch::Records { topic: Topic::Metrics, records: vec![record] });
    }

    pub(crate) fn total(&mut self, record: RawRecord) {
        self.apply(Batch::Records { topic: Topic::Aggregates, records: vec![record] });
    }

    pub(crate) fn report(&mut self, instance: &str, run: Uuid, seq: u64, counters: &[(&Series, u64)]) {
        self.metric(report(instance, run, seq, self.now, counters, false));
    }

    pub(crate) fn plain(&mut self, key: &str, json: &str) {
        let (key, value) = (Some(key.as_bytes().to_vec()), Some(json.as_bytes().to_vec()));
        self.metric(RawRecord { offset: 0, timestamp: self.now, key, value });
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += SECOND;
            self.fleet.tick(self.now);
        }
    }

    pub(crate) fn run(&self, instance: &str, run: Uuid) -> &Run {
        let mut runs = self.fleet.runs();
        runs.find(|other| other.instance() == instance && other.run() == Some(run)).expect("the fleet has the run")
    }

    pub(crate) fn count(&self, instance: &str, of: &Series) -> Option<u128> {
        let of = self.fleet.find(of)?.id();
        self.fleet.runs().filter(|run| run.instance() == instance).filter_map(|run| run.count(of)).reduce(|a, b| a + b)
    }

    pub(crate) fn events(&self) -> Vec<(i64, EventKind, &str)> {
        let event = |event: &'_ quipu_tui::Event| (event.at - START, event.kind);
        self.fleet.events().map(|e| (event(e).0, event(e).1, e.subject.as_str())).collect()
    }

    pub(crate) fn bad(&self) -> Vec<(&'static str, u64)> {
        self.fleet.pipeline().bad().map(|(_, reason, count)| (reason, count)).collect()
    }
}

pub(crate) fn processed() -> Series {
    series("records_processed")
}
