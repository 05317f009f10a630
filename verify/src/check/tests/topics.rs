use quipu_config::{Audit, Config};
use quipu_record::{Aggregate, Millis, Offset, Total};
use quipu_topology::{Settings, SourceRecord, Topology};

use crate::check::{Check, Published};
use crate::names::Names;
use crate::report::{Problem, Report};
use crate::snapshot::Snapshot;

pub(super) type Entry = (i64, String, Option<Vec<u8>>);

/// The content of the three topics.
#[derive(Debug, Clone, Default)]
pub(super) struct Topics {
    pub(super) log: Vec<Entry>,
    pub(super) changelog: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) committed: Option<i64>,
    /// The end of the log, if it is not the offset after the last record.
    pub(super) end: Option<i64>,
    pub(super) audits: Vec<Audit>,
}

impl Topics {
    pub(super) fn plain(&mut self, key: &str, series: &str, count: u64) -> &mut Self {
        self.push(key, Some(format!(r#"{{"name":"{series}","count":{count}}}"#).into_bytes()))
    }

    pub(super) fn report(&mut self, key: &str, seq: u64, counters: &[(&str, u64)]) -> &mut Self {
        self.push(key, Some(report(key, seq, counters)))
    }

    pub(super) fn push(&mut self, key: &str, value: Option<Vec<u8>>) -> &mut Self {
        let offset = self.log.last().map_or(0, |(offset, ..)| offset + 1);
        self.log.push((offset, key.to_owned(), value));
        self
    }

    pub(super) fn publish(&mut self, series: &str, count: i128, offset: i64) -> &mut Self {
        let series = series.parse().expect("a series");
        let (timestamp, offset) = (Millis(1), Offset(offset));
        self.aggregates.push(Aggregate { series, total: Total::Counter(count), timestamp, offset, instances: 1 });
        self
    }

    /// Adds the changelog that an aggregator writes when it reads the whole log.
    pub(super) fn with_changelog(&mut self) -> &mut Self {
        let mut topology = topology(&self.audits);
        for entry in &self.log {
            process(&mut topology, entry);
        }
        topology.take_rows(|key, value| self.changelog.push((key.into(), value)));
        self
    }

    pub(super) fn without(&mut self, lost: &[i64]) -> &mut Self {
        self.log.retain(|(offset, ..)| !lost.contains(offset));
        self
    }

    pub(super) fn snapshot(&self) -> (Names, Snapshot) {
        let (mut names, mut snapshot) = (Names::default(), Snapshot::default());
        for (key, value) in &self.changelog {
            snapshot.see(key, value.as_deref(), &mut names).expect("a row");
        }
        (names, snapshot)
    }

    pub(super) fn verify(&self) -> Report {
        let (names, snapshot) = self.snapshot();
        let mut published = Published::default();
        for aggregate in &self.aggregates {
            published.see(Some(aggregate.series.to_string().as_bytes()), Some(&aggregate.to_json()));
        }
        let config = Config { audits: self.audits.clone(), ..Config::default() };
        let mut check = Check::new(names, snapshot, self.committed, published, &config);
        let end = self.end.unwrap_or(self.log.last().map_or(0, |(offset, ..)| offset + 1));
        check.set_log(self.log.first().map_or(0, |(offset, ..)| *offset), end);
        let until = check.until().unwrap_or(-1);
        for (offset, key, value) in self.log.iter().filter(|(offset, ..)| *offset <= until) {
            check.record(*offset, Some(key.as_bytes()), value.as_deref());
        }
        check.finish()
    }

    #[track_caller]
    pub(super) fn check(&self, by_log: usize, with_changelog: usize, differences: &[Problem]) {
        let report = self.verify();
        let problems: Vec<_> = report.differences.iter().map(|difference| difference.problem).collect();
        assert_eq!(
            (report.by_log, report.with_changelog, &*problems),
            (by_log, with_changelog, differences),
            "{report:#?}"
        );
    }
}

pub(super) fn report(key: &str, seq: u64, counters: &[(&str, u64)]) -> Vec<u8> {
    let (instance, rest) = key.split_once('/').expect("a run's key");
    let run = rest.split('/').next().expect("a run");
    let counters: Vec<_> =
        counters.iter().map(|(name, value)| format!(r#"{{"name":"{name}","value":{value}}}"#)).collect();
    let counters = counters.join(",");
    format!(r#"{{"v":1,"instance":"{instance}","run":"{run}","at":1,"seq":{seq},"interval_ms":1000,"counters":[{counters}]}}"#)
        .into_bytes()
}

pub(super) fn topology(audits: &[Audit]) -> Topology {
    let audits = audits.iter().cloned();
    let audits = audits.map(|Audit { name, sent, processed }| quipu_topology::Audit { name, sent, processed });
    Topology::new(Settings {
        instance_timeout: Millis(1_000_000),
        refresh_interval: Millis(1_000_000),
        max_rows: 1000,
        max_series: 1000,
        audits: audits.collect(),
    })
}

pub(super) fn process(topology: &mut Topology, (offset, key, value): &Entry) {
    let record = SourceRecord {
        offset: Offset(*offset),
        timestamp: Some(Millis(1)),
        key: Some(key.as_bytes()),
        value: value.as_deref(),
    };
    // The totals show whether the record is bad.
    let _ = topology.process(&record, Millis(1));
}
