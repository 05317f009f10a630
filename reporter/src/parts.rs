//! The parts of a run: which series goes into which record, and which records are due. Pure: time comes in.

use std::sync::Arc;
use std::time::Instant;

use quipu_record::{ReportHeader, ReportWriter, RunKey};
use uuid::Uuid;

use crate::part::{Moment, Pace, Part};
use crate::registry::NewSeries;

/// What all reports of a run have in common.
#[derive(Debug, Clone)]
pub(crate) struct RunInfo {
    pub(crate) instance: Arc<str>,
    pub(crate) run: Uuid,
    pub(crate) interval_ms: u64,
    pub(crate) max_record_bytes: usize,
    pub(crate) pace: Pace,
}

/// A record that is to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
}

/// The parts of one run, in the order in which they were opened; there is always one.
#[derive(Debug)]
pub(crate) struct Parts {
    info: RunInfo,
    list: Vec<Part>,
    /// The most bytes that the open part's report can take.
    open_bytes: usize,
}

impl Parts {
    pub(crate) fn new(info: RunInfo) -> Self {
        let open_bytes = ReportWriter::overhead_bytes(&info.instance);
        Self { info, list: vec![Part::default()], open_bytes }
    }

    /// Puts a series into the open part, where it stays. A part is open until a series would make its report too large.
    pub(crate) fn add(&mut self, series: NewSeries) {
        let bytes = series.prefix.counter_bytes();
        if self.open_bytes + bytes > self.info.max_record_bytes {
            self.list.push(Part::default());
            self.open_bytes = ReportWriter::overhead_bytes(&self.info.instance);
        }
        self.open_bytes += bytes;
        if let Some(open) = self.list.last_mut() {
            open.push(series);
        }
    }

    /// The record of part `index`, if it is due. It counts as in flight until one of the next three is called.
    pub(crate) fn report(
        &mut self,
        index: usize,
        moment: &Moment,
        seq: u64,
        at: i64,
        is_final: bool,
    ) -> Option<Outgoing> {
        let RunInfo { instance, run, interval_ms, pace, .. } = &self.info;
        let header = ReportHeader { instance, run: *run, at, seq, interval_ms: *interval_ms, is_final };
        let value = self.list.get_mut(index)?.report(moment, *pace, &header)?;
        let key = RunKey { instance, run: *run, part: u32::try_from(index).ok()? }.to_string();
        Some(Outgoing { key, value })
    }

    pub(crate) fn acked(&mut self, index: usize) {
        if let Some(part) = self.list.get_mut(index) {
            part.acked();
        }
    }

    pub(crate) fn failed(&mut self, index: usize, now: Instant) {
        if let Some(part) = self.list.get_mut(index) {
            part.failed(now);
        }
    }

    pub(crate) fn withdrawn(&mut self, index: usize) {
        if let Some(part) = self.list.get_mut(index) {
            part.withdrawn();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.list.iter().filter(|part| part.is_in_flight()).count()
    }

    pub(crate) fn failing(&self) -> usize {
        self.list.iter().filter(|part| part.is_failing()).count()
    }

    pub(crate) fn is_flushed(&self, flush: u64) -> bool {
        self.list.iter().all(|part| part.is_flushed(flush))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.list.iter().all(Part::is_closed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use proptest::prelude::*;
    use quipu_record::{CounterPrefix, Record, Series, decode};

    use super::*;
    use crate::registry::Cell;

    const INTERVAL: Duration = Duration::from_secs(1);
    const PACE: Pace = Pace { heartbeat: Duration::from_secs(10), retry: Duration::from_millis(500) };

    /// A run on a bench: its counters, its parts, a clock moved by hand, and the table that Kafka's side would have.
    struct Bench {
        parts: Parts,
        cells: Vec<Cell>,
        now: Instant,
        seq: u64,
        flush: u64,
        in_flight: HashMap<usize, Outgoing>,
        table: BTreeMap<String, Row>,
    }

    #[derive(Debug, Clone, Default, PartialEq)]
    struct Row {
        seq: u64,
        is_final: bool,
        counts: BTreeMap<String, u64>,
    }

    impl Bench {
        fn new(max_record_bytes: usize) -> Self {
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

        fn register(&mut self) {
            let series = Series::new(format!("series_{:03}", self.cells.len()), [("k", "v")]).unwrap();
            let cell = Cell::default();
            self.parts.add(NewSeries { prefix: CounterPrefix::new(series.as_ref()), cell: Cell::clone(&cell) });
            self.cells.push(cell);
        }

        fn count(&self, series: usize, by: u64) {
            if let Some(cell) = self.cells.get(series) {
                cell.fetch_add(by, Ordering::Release);
            }
        }

        /// Sends what is due and says which parts.
        fn report(&mut self, tick: bool, flushing: bool, is_final: bool) -> Vec<usize> {
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

        fn tick(&mut self) -> Vec<usize> {
            self.now += INTERVAL;
            self.report(true, false, false)
        }

        fn ack(&mut self, part: usize) {
            if let Some(record) = self.in_flight.remove(&part) {
                self.deliver(&record);
                self.parts.acked(part);
            }
        }

        fn ack_all(&mut self) {
            for part in 0..self.parts.len() {
                self.ack(part);
            }
        }

        /// The client gives a record up; it may have reached the topic all the same.
        fn fail(&mut self, part: usize, delivered: bool) {
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
            let counts: BTreeMap<_, _> = report.counters().map(|(series, value)| (series.to_string(), value)).collect();
            assert_eq!(counts.len(), report.len(), "a series stands twice");
            for (series, before) in &row.counts {
                assert!(counts.get(series).is_some_and(|after| after >= before), "{series} went back or vanished");
            }
            *row = Row { seq: report.seq, is_final: report.is_final, counts };
        }

        /// What the table says, each series in one row only.
        fn totals(&self) -> BTreeMap<String, u64> {
            let mut totals = BTreeMap::new();
            for (series, value) in self.table.values().flat_map(|row| &row.counts) {
                assert!(totals.insert(series.clone(), *value).is_none(), "{series} is in two rows");
            }
            totals
        }

        fn truth(&self) -> BTreeMap<String, u64> {
            let cells = self.cells.iter().map(|cell| cell.load(Ordering::Acquire)).enumerate();
            cells.map(|(index, value)| (format!("series_{index:03}{{k=\"v\"}}"), value)).collect()
        }
    }

    #[test]
    fn an_empty_run_reports_at_once_and_at_each_heartbeat() {
        let mut bench = Bench::new(500);
        assert_eq!(bench.tick(), [0]);
        bench.ack(0);
        let sent: Vec<_> = (0..25).map(|_| bench.tick()).inspect(|_| ()).map(|sent| sent.len()).collect();
        // The heartbeat at 10 s is never acknowledged, so nothing follows it.
        assert_eq!(sent.iter().sum::<usize>(), 1);
        bench.ack(0);
        assert_eq!(bench.tick(), [0]);
        assert_eq!(bench.totals(), BTreeMap::new());
    }

    #[test]
    fn only_parts_that_changed_are_sent_and_one_record_of_each_at_a_time() {
        let mut bench = Bench::new(400);
        (0..12).for_each(|_| bench.register());
        let all: Vec<usize> = (0..bench.parts.len()).collect();
        assert!(all.len() > 2, "{all:?}");
        assert_eq!(bench.tick(), all);
        bench.ack_all();
        assert_eq!(bench.tick(), [0_usize; 0]);

        bench.count(11, 1);
        let last = all.len() - 1;
        assert_eq!(bench.tick(), [last]);
        bench.count(11, 1);
        assert_eq!(bench.tick(), [0_usize; 0], "the first is still in flight");
        bench.ack(last);
        assert_eq!(bench.tick(), [last]);
        bench.ack(last);
        assert_eq!(bench.tick(), [0_usize; 0]);
        assert_eq!(bench.totals(), bench.truth());
    }

    #[test]
    fn no_record_is_over_the_limit_however_high_the_counts() {
        for max_record_bytes in 300..500 {
            let mut bench = Bench::new(max_record_bytes);
            for series in 0..20 {
                bench.register();
                bench.count(series, u64::MAX);
            }
            // `Bench::report` checks the sizes.
            assert!(bench.tick().len() > 3);
        }
    }

    #[test]
    fn a_failed_part_is_sent_again_after_a_pause_even_without_a_change() {
        let mut bench = Bench::new(400);
        bench.register();
        assert_eq!(bench.report(true, false, false), [0]);
        bench.fail(0, false);
        assert_eq!(bench.parts.failing(), 1);
        bench.flush = 1;
        assert_eq!(bench.report(true, true, false), [0_usize; 0]);
        bench.now += PACE.retry;
        assert_eq!(bench.report(false, true, false), [0]);
        bench.ack(0);
        assert_eq!(bench.parts.failing(), 0);
        assert!(bench.parts.is_flushed(1));
    }

    #[test]
    fn a_flush_needs_no_record_where_kafka_has_the_values_already() {
        let mut bench = Bench::new(400);
        bench.register();
        bench.tick();
        bench.flush = 1;
        assert_eq!(bench.report(false, true, false), [0_usize; 0], "in flight, but read before the flush");
        bench.ack(0);
        assert!(!bench.parts.is_flushed(1));
        assert_eq!(bench.report(false, true, false), [0_usize; 0]);
        assert!(bench.parts.is_flushed(1));
    }

    #[test]
    fn the_final_report_goes_out_once_for_every_part() {
        let mut bench = Bench::new(400);
        (0..12).for_each(|_| bench.register());
        let all: Vec<usize> = (0..bench.parts.len()).collect();
        bench.tick();
        bench.ack_all();
        assert_eq!(bench.report(false, false, true), all);
        bench.fail(0, true);
        bench.ack_all();
        assert!(!bench.parts.is_closed());
        bench.count(0, 5);
        bench.now += PACE.retry;
        assert_eq!(bench.report(false, false, true), [0]);
        bench.ack(0);
        assert!(bench.parts.is_closed());
        assert!(bench.table.values().all(|row| row.is_final));
        assert_eq!(bench.totals(), bench.truth());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Register,
        Count(usize, u64),
        Tick,
        Ack(usize),
        Fail(usize, bool),
        Withdraw(usize),
        Flush,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Register),
            6 => (0..40_usize, 1..1_000_000_000_u64).prop_map(|(series, by)| Step::Count(series, by)),
            3 => Just(Step::Tick),
            4 => (0..8_usize).prop_map(Step::Ack),
            1 => (0..8_usize, any::<bool>()).prop_map(|(part, delivered)| Step::Fail(part, delivered)),
            1 => (0..8_usize).prop_map(Step::Withdraw),
            2 => Just(Step::Flush),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_on_the_way_the_table_gets_the_counts(steps in prop::collection::vec(step(), 1..120)) {
            let mut bench = Bench::new(420);
            let mut asked: Option<BTreeMap<String, u64>> = None;
            for step in steps {
                match step {
                    Step::Register => bench.register(),
                    Step::Count(series, by) => bench.count(series, by),
                    Step::Tick => drop(bench.tick()),
                    Step::Ack(part) => bench.ack(part),
                    Step::Fail(part, delivered) => bench.fail(part, delivered),
                    Step::Withdraw(part) => {
                        if bench.in_flight.remove(&part).is_some() {
                            bench.parts.withdrawn(part);
                        }
                    }
                    Step::Flush => {
                        if asked.is_none() {
                            bench.flush += 1;
                            asked = Some(bench.truth());
                        }
                    }
                }
                bench.report(false, asked.is_some(), false);
                if bench.parts.is_flushed(bench.flush) && let Some(asked) = asked.take() {
                    let totals = bench.totals();
                    for (series, value) in asked {
                        prop_assert!(totals.get(&series).is_some_and(|total| *total >= value), "{} {:?}", series, totals);
                    }
                }
            }

            for _ in 0..2 {
                bench.ack_all();
                bench.now += PACE.retry;
                bench.report(false, false, true);
            }
            bench.ack_all();
            prop_assert!(bench.parts.is_closed());
            prop_assert!(bench.table.values().all(|row| row.is_final));
            prop_assert_eq!(bench.totals(), bench.truth());
        }
    }
}
