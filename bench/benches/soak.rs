//! A fleet whose runs come and go, for much longer than the aggregator keeps their rows. What its core holds must not grow,
//! and every total must be exact. Nothing is timed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::process::ExitCode;

use allocation_counter::{measure, opt_out};
use quipu_bench::{is_whole, settings};
use quipu_record::{Aggregate, CounterPrefix, Millis, Offset, ReportHeader, ReportWriter, RunKey, Series, Total};
use quipu_topology::{Outcome, Retention, Settings, SourceRecord, Topology};
use uuid::{Builder, Uuid};

const MINUTE: i64 = 60_000;
const RETENTION: i64 = 120 * MINUTE;
const RETENTION_FINISHED: i64 = 10 * MINUTE;
/// Time between two reports of a run.
const INTERVAL: i64 = 1_000_000;
const START: i64 = 1_718_900_000_000;

const APPLICATIONS: u64 = 10;
const COUNTERS: u64 = 20;
/// By how many percent a tenth may differ from the second one.
const TOLERANCE: usize = 10;

fn main() -> ExitCode {
    let (runs, alive) = if is_whole() { (1_000_000, 10_000) } else { (10_000, 100) };
    println!("{runs} runs of {COUNTERS} counters, {alive} alive at a time; the maximum of each tenth:");
    let mut soak = Soak::new(alive);
    let mut tenths = Vec::new();
    for tenth in 1..=10 {
        let most = soak.until(runs * tenth / 10);
        println!("{tenth:>2}: {}", most.text());
        tenths.push(most);
    }
    let Soak { core, log, .. } = &mut soak;
    println!("{} records, of them {}", log.offset, log.outcomes());
    core.check_restored();
    let last = soak.let_all_expire();
    println!("after {} min without a report: {}", 3 * RETENTION / MINUTE, last.text());

    let mut problems = soak.log.problems;
    problems.extend(not_flat(&tenths));
    if (last.rows, last.markers) != (0, 0) {
        problems.push("rows or markers never expire".to_owned());
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the core holds.
#[derive(Debug, Default, Clone, Copy)]
struct Held {
    rows: usize,
    markers: usize,
    table_bytes: usize,
    allocated: usize,
    state_records: usize,
    state_bytes: usize,
}

impl Held {
    fn named(&self) -> [(&'static str, usize); 6] {
        [
            ("rows", self.rows),
            ("markers", self.markers),
            ("table_bytes", self.table_bytes),
            ("allocated", self.allocated),
            ("state_records", self.state_records),
            ("state_bytes", self.state_bytes),
        ]
    }

    fn max(&self, other: &Self) -> Self {
        Self {
            rows: self.rows.max(other.rows),
            markers: self.markers.max(other.markers),
            table_bytes: self.table_bytes.max(other.table_bytes),
            allocated: self.allocated.max(other.allocated),
            state_records: self.state_records.max(other.state_records),
            state_bytes: self.state_bytes.max(other.state_bytes),
        }
    }

    fn text(&self) -> String {
        self.named().map(|(name, value)| format!("{name} {value}")).join(", ")
    }
}

/// In the first tenth the rows and markers are not complete yet, so the second one is what the later ones must be like.
fn not_flat(tenths: &[Held]) -> Vec<String> {
    let mut problems = Vec::new();
    for (tenth, held) in tenths.iter().enumerate().skip(2) {
        for ((name, value), (_, reference)) in held.named().into_iter().zip(tenths[1].named()) {
            if value.abs_diff(reference) * 100 > reference * TOLERANCE {
                problems.push(format!("{name} is not flat: {value} in tenth {}, {reference} in the second", tenth + 1));
            }
        }
    }
    problems
}

/// How a run ends.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// With a final report.
    Finished,
    /// Without one.
    Killed,
    /// Its last report arrives once more when the run has expired.
    Repeated,
    /// It is paused, expires, and reports again.
    Paused,
    /// It is paused for so long that its marker is dropped, too.
    PausedForLong,
}

impl Fate {
    /// When the run is back after its last report.
    fn pause(self) -> Option<i64> {
        match self {
            Self::Finished | Self::Killed => None,
            Self::Repeated | Self::Paused => Some(RETENTION * 3 / 2),
            Self::PausedForLong => Some(RETENTION * 3),
        }
    }
}

struct Run {
    number: u64,
    id: Uuid,
    fate: Fate,
    seq: u64,
    /// The `seq` before its end or its pause.
    last: u64,
    /// The `seq` whose counts are in the sums.
    counted: u64,
}

impl Run {
    fn new(number: u64, now: i64) -> Self {
        // The fates are mixed, and each hundred runs have the same numbers of them.
        let percent = number * 37 % 100;
        let fate = match percent {
            0..60 => Fate::Finished,
            60..87 => Fate::Killed,
            87..91 => Fate::Repeated,
            91..95 => Fate::Paused,
            _ => Fate::PausedForLong,
        };
        // The first reports of some come late, as after an outage.
        let began = if percent.is_multiple_of(20) { now - RETENTION / 2 } else { now };
        let mut rest = [0; 10];
        rest[2..].copy_from_slice(&number.to_be_bytes());
        let id = Builder::from_unix_timestamp_millis(u64::try_from(began).expect("after 1970"), &rest).into_uuid();
        Self { number, id, fate, seq: 0, last: 2 + number % 3, counted: 0 }
    }

    fn value(&self, counter: u64, seq: u64) -> u64 {
        seq * (1 + (self.number + counter) % 7)
    }
}

/// The programs, and the totals that they must have.
struct Soak {
    /// How many are alive at a time.
    size: usize,
    alive: VecDeque<Run>,
    away: BTreeMap<(i64, u64), Run>,
    begun: u64,
    log: Log,
    core: Core,
}

impl Soak {
    fn new(size: usize) -> Self {
        let log = Log::new(INTERVAL / i64::try_from(size).expect("few runs"));
        let mut soak = Self { size, alive: VecDeque::new(), away: BTreeMap::new(), begun: 0, log, core: Core::new() };
        soak.begin();
        soak
    }

    fn begin(&mut self) {
        while self.alive.len() < self.size {
            self.alive.push_back(Run::new(self.begun, self.log.now));
            self.begun += 1;
        }
    }

    /// Lets the programs report until this number of runs began. Returns the maximum of what the core held.
    fn until(&mut self, runs: u64) -> Held {
        let mut most = Held::default();
        while self.begun < runs {
            // Ten commits in an interval.
            for _ in 0..self.size / 10 {
                self.step();
            }
            most = most.max(&self.core.commit(&mut self.log));
        }
        most
    }

    /// One run reports: one that is back, or the next of those that are alive.
    fn step(&mut self) {
        if let Some(back) = self.away.first_entry().filter(|next| next.key().0 <= self.log.now) {
            let mut run = back.remove();
            if matches!(run.fate, Fate::Repeated) {
                self.core.report(&mut self.log, &mut run, Outcome::Stale);
                return;
            }
            run.fate = Fate::Killed;
            run.last = run.seq + 2;
            run.seq += 1;
            self.core.report(&mut self.log, &mut run, Outcome::Rebased);
            self.alive.push_back(run);
            return;
        }
        let Some(mut run) = self.alive.pop_front() else { return };
        run.seq += 1;
        self.core.report(&mut self.log, &mut run, Outcome::Applied);
        if run.seq < run.last {
            self.alive.push_back(run);
            return;
        }
        if let Some(pause) = run.fate.pause() {
            self.away.insert((self.log.now + pause, run.number), run);
        }
        self.begin();
    }

    /// Only the log time goes on.
    fn let_all_expire(&mut self) -> Held {
        for _ in 0..3 * RETENTION / MINUTE {
            self.log.now += MINUTE - self.log.step;
            self.core.apply(&mut self.log, b"unknown", None, Outcome::Absent);
        }
        // The first commit returns the most that was allocated since the last report.
        self.core.commit(&mut self.log);
        self.core.commit(&mut self.log)
    }
}

/// The log, and what it contains.
struct Log {
    now: i64,
    step: i64,
    offset: i64,
    series: Vec<Series>,
    prefixes: Vec<CounterPrefix>,
    /// The sum of each series.
    sums: Vec<u64>,
    outcomes: BTreeMap<String, u64>,
    problems: Vec<String>,
}

impl Log {
    fn new(step: i64) -> Self {
        let labels = |index: u64| {
            [("application", format!("app-{}", index / COUNTERS)), ("topic", format!("t{}", index % COUNTERS))]
        };
        let series: Vec<Series> = (0..APPLICATIONS * COUNTERS)
            .map(|index| Series::new("records_processed", labels(index)).expect("a series"))
            .collect();
        let prefixes = series.iter().map(|series| CounterPrefix::new(series.as_ref())).collect();
        let sums = vec![0; series.len()];
        let (outcomes, problems) = (BTreeMap::new(), Vec::new());
        Self { now: START, step, offset: 0, series, prefixes, sums, outcomes, problems }
    }

    fn outcomes(&self) -> String {
        let text = |(outcome, count): (&String, &u64)| format!("{count} {}", outcome.to_lowercase());
        self.outcomes.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    /// The series of a run's counter.
    fn index(run: &Run, counter: u64) -> usize {
        usize::try_from(run.number % APPLICATIONS * COUNTERS + counter).expect("few series")
    }

    fn report(&self, run: &Run) -> (String, Vec<u8>) {
        let instance = format!("app-{}", run.number % APPLICATIONS);
        let is_final = matches!(run.fate, Fate::Finished) && run.seq == run.last;
        let header = ReportHeader {
            instance: &instance,
            run: run.id,
            at: self.now,
            seq: run.seq,
            interval_ms: u64::try_from(INTERVAL).expect("positive"),
            parts: 1,
            is_final,
        };
        let mut report = ReportWriter::new(&header);
        for counter in 0..COUNTERS {
            report.push(&self.prefixes[Self::index(run, counter)], run.value(counter, run.seq));
        }
        (RunKey { instance: &instance, run: run.id, part: 0 }.to_string(), report.finish())
    }
}

/// The topology, what it published, and what it wrote to its changelog.
struct Core {
    topology: Topology,
    allocated: i64,
    most_allocated: i64,
    totals: HashMap<Series, i128>,
    state: HashMap<Box<[u8]>, Vec<u8>>,
    state_bytes: usize,
}

impl Core {
    fn new() -> Self {
        Self {
            topology: topology(),
            allocated: 0,
            most_allocated: 0,
            totals: HashMap::new(),
            state: HashMap::new(),
            state_bytes: 0,
        }
    }

    fn measured(&mut self, step: impl FnOnce(&mut Self)) {
        let used = measure(|| step(self));
        let most = self.allocated + i64::try_from(used.bytes_max).expect("not that much");
        self.most_allocated = self.most_allocated.max(most);
        self.allocated += used.bytes_current;
    }

    fn report(&mut self, log: &mut Log, run: &mut Run, expected: Outcome) {
        let (key, value) = log.report(run);
        self.apply(log, key.as_bytes(), Some(&value), expected);
        if expected == Outcome::Applied {
            for counter in 0..COUNTERS {
                log.sums[Log::index(run, counter)] += run.value(counter, run.seq) - run.value(counter, run.counted);
            }
        }
        run.counted = run.seq;
    }

    fn apply(&mut self, log: &mut Log, key: &[u8], value: Option<&[u8]>, expected: Outcome) {
        log.now += log.step;
        let now = Millis(log.now);
        let offset = Offset(log.offset);
        let record = SourceRecord { offset, timestamp: Some(now), is_append_time: true, key: Some(key), value };
        log.offset += 1;
        let mut outcome = None;
        self.measured(|core| outcome = Some(core.topology.process(&record, now)));
        match outcome {
            Some(Ok(outcome)) if outcome == expected => {
                *log.outcomes.entry(format!("{outcome:?}")).or_default() += 1;
            }
            other => log.problems.push(format!("offset {}: {other:?} instead of {expected:?}", offset.0)),
        }
    }

    /// Publishes the totals, compares them, and writes the state. Returns what the core holds.
    fn commit(&mut self, log: &mut Log) -> Held {
        let now = Millis(log.now);
        self.measured(|core| {
            let aggregates = core.topology.take_aggregates(now);
            opt_out(|| core.publish(&aggregates));
            drop(aggregates);
            let Self { topology, state, state_bytes, .. } = core;
            topology.take_rows(|key, value| opt_out(|| write(state, state_bytes, key, value.as_deref())));
        });
        for (series, sum) in log.series.iter().zip(&log.sums) {
            let total = self.totals.get(series).copied().unwrap_or_default();
            if total != i128::from(*sum) {
                log.problems.push(format!("offset {}: {series} is {total} instead of {sum}", log.offset));
            }
        }
        Held {
            rows: self.topology.rows(),
            markers: self.topology.markers(),
            table_bytes: self.topology.table_bytes(),
            allocated: usize::try_from(std::mem::replace(&mut self.most_allocated, self.allocated)).unwrap_or(0),
            state_records: self.state.len(),
            state_bytes: self.state_bytes,
        }
    }

    fn publish(&mut self, aggregates: &[Aggregate]) {
        for Aggregate { series, total, .. } in aggregates {
            // The topology has no audits, so there are no deltas.
            if let Total::Counter(total) = total {
                self.totals.insert(series.clone(), *total);
            }
        }
    }

    /// A core that is restored from the state must publish the same totals.
    fn check_restored(&self) {
        let mut restored = Self { topology: topology(), totals: HashMap::new(), state: HashMap::new(), ..Self::new() };
        for (key, value) in &self.state {
            restored.topology.load(key, Some(value)).expect("a record of the state");
        }
        let aggregates = restored.topology.take_aggregates(Millis(START));
        restored.publish(&aggregates);
        assert_eq!(restored.totals, self.totals, "totals after a restart");
        assert_eq!(restored.topology.rows(), self.topology.rows(), "rows after a restart");
        assert_eq!(restored.topology.markers(), self.topology.markers(), "markers after a restart");
    }
}

fn topology() -> Topology {
    let retention = Retention { runs: Some(Millis(RETENTION)), finished: Some(Millis(RETENTION_FINISHED)) };
    Topology::new(Settings { retention, ..settings() })
}

fn write(state: &mut HashMap<Box<[u8]>, Vec<u8>>, bytes: &mut usize, key: &[u8], value: Option<&[u8]>) {
    let before = match value {
        Some(value) => {
            *bytes += key.len() + value.len();
            state.insert(key.into(), value.into())
        }
        None => state.remove(key),
    };
    *bytes -= before.map_or(0, |before| key.len() + before.len());
}
