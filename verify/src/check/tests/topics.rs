use quipu_config::{Audit, Config};
use quipu_record::{Aggregate, Millis, Offset, StatePosition, Total};
use quipu_topology::{Settings, SourceRecord, Topology};
use rdkafka::Timestamp;

use crate::check::{Check, Published};
use crate::fold::LogRecord;
use crate::names::Names;
use crate::report::{Problem, Report};
use crate::retention::Retention;
use crate::snapshot::Snapshot;

/// The time of the first record. The runs of the tests began before.
pub(super) const BEGIN: i64 = 0x0192_0000_0000 + 100_000;

/// A record of `metrics`.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) offset: i64,
    pub(super) timestamp: Timestamp,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// The content of the three topics.
#[derive(Debug, Clone)]
pub(super) struct Topics {
    pub(super) log: Vec<Entry>,
    pub(super) changelog: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(super) published: Published,
    /// The end of the log, if it is not the offset after the last record.
    pub(super) end: Option<i64>,
    pub(super) audits: Vec<Audit>,
    pub(super) retention: Retention,
    /// The time of the next record.
    pub(super) now: i64,
}

impl Default for Topics {
    fn default() -> Self {
        let (log, changelog, audits, published) = (Vec::new(), Vec::new(), Vec::new(), Published::default());
        let retention = Retention::new(&Config::default());
        Self { log, changelog, published, end: None, audits, retention, now: BEGIN }
    }
}

impl Topics {
    /// Topics whose rows expire after so many seconds.
    pub(super) fn expiring(runs: i64, finished: i64) -> Self {
        let seconds = |seconds| Some(Millis(1000 * seconds));
        let retention = Retention { runs: seconds(runs), finished: seconds(finished), max_markers: 1000 };
        Self { retention, ..Self::default() }
    }

    pub(super) fn plain(&mut self, key: &str, series: &str, count: u64) -> &mut Self {
        self.push(key, Some(format!(r#"{{"name":"{series}","count":{count}}}"#).into_bytes()))
    }

    pub(super) fn report(&mut self, key: &str, seq: u64, counters: &[(&str, u64)]) -> &mut Self {
        self.push(key, Some(report(key, seq, counters)))
    }

    pub(super) fn push(&mut self, key: &str, value: Option<Vec<u8>>) -> &mut Self {
        self.push_at(Timestamp::LogAppendTime(self.now), key.as_bytes(), value)
    }

    pub(super) fn push_at(&mut self, timestamp: Timestamp, key: &[u8], value: Option<Vec<u8>>) -> &mut Self {
        let offset = self.log.last().map_or(0, |entry| entry.offset + 1);
        self.log.push(Entry { offset, timestamp, key: key.into(), value });
        self
    }

    /// Lets so many seconds of log time pass before the next record.
    pub(super) fn pass(&mut self, seconds: i64) -> &mut Self {
        self.now += 1000 * seconds;
        self
    }

    pub(super) fn publish(&mut self, series: &str, count: i128, offset: i64) -> &mut Self {
        let series = series.parse().expect("a series");
        let (timestamp, offset) = (Millis(1), Offset(offset));
        self.publish_record(&Aggregate { series, total: Total::Counter(count), timestamp, offset, instances: 1 });
        self
    }

    pub(super) fn publish_record(&mut self, aggregate: &Aggregate) {
        self.published.see(Some(aggregate.series.to_string().as_bytes()), Some(&aggregate.to_json()));
    }

    /// Publishes a total as of the end of the log.
    pub(super) fn publish_now(&mut self, series: &str, count: i128) -> &mut Self {
        let last = self.log.last().map_or(0, |entry| entry.offset);
        self.publish(series, count, last)
    }

    /// Adds the changelog that an aggregator writes when it reads the whole log.
    pub(super) fn with_changelog(&mut self) -> &mut Self {
        let mut topology = topology(&self.audits, self.retention);
        for entry in &self.log {
            process(&mut topology, entry);
        }
        self.commit(&mut topology);
        self
    }

    /// Publishes the totals that changed since the last commit.
    pub(super) fn publish_changes(&mut self, topology: &mut Topology) {
        for aggregate in topology.take_aggregates(Millis(1)) {
            self.publish_record(&aggregate);
        }
        for series in topology.take_removed() {
            self.published.see(Some(series.to_string().as_bytes()), None);
        }
    }

    /// Adds what changed since the last commit to the changelog.
    pub(super) fn commit(&mut self, topology: &mut Topology) {
        topology.take_rows(|key, value| self.changelog.push((key.into(), value)));
        let position = StatePosition { position: topology.position() }.encode();
        self.changelog.push((StatePosition::KEY.into(), Some(position)));
    }

    pub(super) fn without(&mut self, lost: &[i64]) -> &mut Self {
        self.log.retain(|entry| !lost.contains(&entry.offset));
        self
    }

    pub(super) fn snapshot(&self) -> (Names, Snapshot) {
        let (mut names, mut snapshot) = (Names::default(), Snapshot::default());
        for (key, value) in &self.changelog {
            snapshot.see(key, value.as_deref(), &mut names).expect("a record of the changelog");
        }
        (names, snapshot)
    }

    pub(super) fn verify(&self) -> Report {
        let (names, snapshot) = self.snapshot();
        let config = Config { audits: self.audits.clone(), ..Config::default() };
        let mut check = Check::new(names, snapshot, self.published.clone(), &config, self.retention);
        let end = self.end.unwrap_or(self.log.last().map_or(0, |entry| entry.offset + 1));
        check.set_log(self.log.first().map_or(0, |entry| entry.offset), end);
        let until = check.until().unwrap_or(-1);
        for entry in self.log.iter().filter(|entry| entry.offset <= until) {
            check.record(entry.record());
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

impl Entry {
    pub(super) fn record(&self) -> LogRecord<'_> {
        let Self { offset, timestamp, key, value } = self;
        LogRecord { offset: *offset, timestamp: *timestamp, key: Some(key), value: value.as_deref() }
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

/// A report with the fields about the end of its run.
pub(super) fn with_parts(report: &[u8], parts: u32, is_final: bool) -> Vec<u8> {
    [format!(r#"{{"parts":{parts},"final":{is_final},"#).as_bytes(), &report[1..]].concat()
}

pub(super) fn topology(audits: &[Audit], retention: Retention) -> Topology {
    let audits = audits.iter().cloned();
    let audits = audits.map(|Audit { name, sent, processed }| quipu_topology::Audit { name, sent, processed });
    Topology::new(Settings {
        instance_timeout: Millis(1_000_000),
        refresh_interval: Millis(1_000_000),
        retention: quipu_topology::Retention { runs: retention.runs, finished: retention.finished },
        max_rows: 1000,
        max_series: 1000,
        audits: audits.collect(),
    })
}

pub(super) fn process(topology: &mut Topology, entry: &Entry) {
    let timestamp = entry.timestamp.to_millis().map(Millis);
    let record = SourceRecord {
        offset: Offset(entry.offset),
        timestamp,
        is_append_time: matches!(entry.timestamp, Timestamp::LogAppendTime(_)),
        key: Some(&entry.key),
        value: entry.value.as_deref(),
    };
    // The totals show whether the record is bad.
    let _ = topology.process(&record, timestamp.unwrap_or_default());
}
