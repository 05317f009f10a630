use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quipu_record::{CounterPrefix, Record, Series, decode};
use uuid::Uuid;

use crate::part::{Moment, Pace};
use crate::parts::{Outgoing, Parts, RunInfo};
use crate::registry::{Cell, NewSeries};

const INTERVAL: Duration = Duration::from_secs(1);
pub(super) const PACE: Pace = Pace { heartbeat: Duration::from_secs(10), retry: Duration::from_millis(500) };

/// A run under test: its counters, its parts, a clock that the test advances, and the table that Kafka would hold.
pub(super) struct Bench {
    pub(super) parts: Parts,
    cells: Vec<Cell>,
    pub(super) now: Instant,
    seq: u64,
    pub(super) flush: u64,
    pub(super) in_flight: HashMap<usize, Outgoing>,
    pub(super) table: BTreeMap<String, Row>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    seq: u64,
    pub(super) is_final: bool,
    counts: BTreeMap<String, u64>,
}

impl Bench {
    pub(super) fn new(max_record_bytes: usize) -> Self {
        let info = RunInfo {
            instance: "app-1".into(),
            run: Uuid::from_u128(7),
            interval_ms: 1000,
            max_record_bytes,
            pace: PACE,
        };
        Self {
            parts: Parts::new(info),
            cells: Vec::new(),
            now: Instant::now(),
            seq: 0,
            flush: 0,
            in_flight: HashMap::new(),
            table: BTreeMap::new(),
        }
    }

    pub(super) fn register(&mut self) {
        let series = Series::new(format!("series_{:03}", self.cells.len()), [("k", "v")]).unwrap();
        let cell = Cell::default();
        self.parts.add(NewSeries::Counter { prefix: CounterPrefix::new(series.as_ref()), cell: Cell::clone(&cell) });
        self.cells.push(cell);
    }

    pub(super) fn count(&self, series: usize, by: u64) {
        if let Some(cell) = self.cells.get(series) {
            cell.fetch_add(by, Ordering::Release);
        }
    }

    /// Sends what is due and returns the indices of the parts.
    pub(super) fn report(&mut self, tick: bool, flushing: bool, is_final: bool) -> Vec<usize> {
        self.seq += 1;
        let moment = Moment { now: self.now, tick, flush: self.flush, flushing };
        let mut sent = Vec::new();
        for index in 0..self.parts.len() {
            if let Some(record) = self.parts.report(index, &moment, self.seq, 0, is_final) {
                assert!(record.value.len() <= self.parts.info.max_record_bytes, "{} bytes", record.value.len());
                assert!(self.in_flight.insert(index, record).is_none(), "two records of part {index} in flight");
                sent.push(index);
            }
        }
        sent
    }

    pub(super) fn tick(&mut self) -> Vec<usize> {
        self.now += INTERVAL;
        self.report(true, false, false)
    }

    pub(super) fn ack(&mut self, part: usize) {
        if let Some(record) = self.in_flight.remove(&part) {
            self.deliver(&record);
            self.parts.acked(part);
        }
    }

    pub(super) fn ack_all(&mut self) {
        for part in 0..self.parts.len() {
            self.ack(part);
        }
    }

    /// The record fails; it may have reached the topic all the same.
    pub(super) fn fail(&mut self, part: usize, delivered: bool) {
        if let Some(record) = self.in_flight.remove(&part) {
            if delivered {
                self.deliver(&record);
            }
            self.parts.failed(part, self.now);
        }
    }

    fn deliver(&mut self, record: &Outgoing) {
        let Ok(Record::Report { report, .. }) = decode(Some(record.key.as_bytes()), Some(&record.value)) else {
            panic!("not a report: {record:?}");
        };
        let row = self.table.entry(record.key.clone()).or_default();
        assert!(report.seq > row.seq, "sequence {} after {}", report.seq, row.seq);
        let counts: BTreeMap<_, _> =
            report.values().map(|(series, quipu_record::Value::Counter(value))| (series.to_string(), value)).collect();
        assert_eq!(counts.len(), report.len(), "a series is in the report twice");
        for (series, before) in &row.counts {
            assert!(counts.get(series).is_some_and(|after| after >= before), "{series} went back or vanished");
        }
        *row = Row { seq: report.seq, is_final: report.is_final, counts };
    }

    /// The value of each series in the table; each may be in one row only.
    pub(super) fn totals(&self) -> BTreeMap<String, u64> {
        let mut totals = BTreeMap::new();
        for (series, value) in self.table.values().flat_map(|row| &row.counts) {
            assert!(totals.insert(series.clone(), *value).is_none(), "{series} is in two rows");
        }
        totals
    }

    pub(super) fn truth(&self) -> BTreeMap<String, u64> {
        let cells = self.cells.iter().map(|cell| cell.load(Ordering::Acquire)).enumerate();
        cells.map(|(index, value)| (format!("series_{index:03}{{k=\"v\"}}"), value)).collect()
    }
}
