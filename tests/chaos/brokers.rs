//! Faults of brokers while the rest runs: one of three brokers at a time is killed, hangs or is restarted. Meanwhile
//! reporters report, an aggregator keeps the totals without being restarted, a reader sees every total, and a sink
//! prints it.
//!
//! After each fault the totals must continue within [`BOUND`], at the reader and at the sink. At the end every total
//! that was seen is right for its offset, none went back, and the last totals are what was written and counted.

mod fault;
mod progress;
mod sink;
mod three;
mod view;

use std::sync::Arc;
use std::time::{Duration, Instant};

use quipu_record::Aggregate;
use quipu_testkit::fold::SERIES;
use quipu_testkit::{Aggregator, Pipeline, require};
use tempfile::TempDir;

use crate::QUIPU;
use crate::chance::{Random, pause};
use crate::check::{expected, went_back, wrong};
use crate::fleet::Fleet;
use crate::program::{COUNTED, Program};
use crate::reader::Reader;

use fault::Fault;
use progress::Progress;
use sink::Sink;
use three::Brokers;
use view::View;

const DEFAULT_FAULTS: usize = 8;
/// The longest time for which the totals may stop, whatever happens to one broker. A broker may hang for 20 s of it.
const BOUND: Duration = Duration::from_secs(30);

/// Runs this number of faults with exactly-once and half as many with at-least-once, or with `only` one of the two.
pub(crate) fn run_all(faults: Option<usize>, only: Option<&str>) {
    let faults = faults.unwrap_or(DEFAULT_FAULTS);
    let Some(brokers) = require(Brokers::start()) else { return };
    for (guarantee, faults) in [("exactly_once", faults), ("at_least_once", faults.div_ceil(2))] {
        if only.is_none_or(|only| only == guarantee) {
            run(&brokers, guarantee, faults);
        }
    }
}

fn run(brokers: &Brokers, guarantee: &'static str, faults: usize) {
    let began = Instant::now();
    let pipeline = Pipeline::new(QUIPU, &brokers.bootstrap());
    let view = View::new(&brokers.bootstrap());
    let services = Services::start(&pipeline, guarantee);
    let report = ReportOnFailure(&services);
    let fleet = Fleet::start(&brokers.bootstrap(), &pipeline.metrics, Duration::from_millis(20));
    let program = Program::start(&brokers.bootstrap(), &pipeline.metrics);
    services.until_beyond(view.end(&pipeline.metrics), "the start");

    let mut stops = Vec::new();
    // The seed depends on the number of faults, so that runs with different numbers also differ in their timing.
    let mut random = Random::new(faults as u64 ^ 0x5eed);
    for (number, fault) in Fault::all(guarantee).take(faults).enumerate() {
        pause(Duration::from_millis(200 + random.below(2000)));
        let began = Instant::now();
        let done = fault.run(brokers, &view, &pipeline, &mut random);
        services.until_beyond(view.end(&pipeline.metrics), &done);
        let stop = services.longest_stops(began);
        println!(
            "{guarantee}, fault {} of {faults}: {done}; totals stopped for {:.1?}, the sink for {:.1?}; {:.0} s",
            number + 1,
            stop.reader,
            stop.sink,
            began.elapsed().as_secs_f64()
        );
        assert!(stop.reader <= BOUND && stop.sink <= BOUND, "totals stopped for longer than {BOUND:?}");
        stops.push(stop);
    }

    let written = fleet.stop();
    let counted = i128::from(program.stop());
    let expected = expected(&pipeline, &written);
    let last = expected.last().expect("records").1;
    let last = || SERIES.into_iter().zip(last).chain([(COUNTED, counted)]);
    services.reader.seen().until(last());
    services.sink.seen().until(last());
    pipeline.verify();
    drop(report);
    let (totals, lines) = services.stop();
    // The aggregator is never restarted, so even with at_least_once no total may go back. A sink may print again what
    // it printed before its commit.
    let wrong = [wrong(&totals, &expected), went_back(&totals), wrong(&lines, &expected)].concat();
    println!(
        "brokers: {guarantee}, {faults} faults, {} records, {counted} counts, {} totals seen, {} lines of the sink, {} wrong, \
         totals stopped for at most {}, the sink for at most {}, {:.0} s",
        written.len(),
        totals.len(),
        lines.len(),
        wrong.len(),
        summary(stops.iter().map(|stop| stop.reader)),
        summary(stops.iter().map(|stop| stop.sink)),
        began.elapsed().as_secs_f64()
    );
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(10)]);
}

/// The longest of the durations, and the median.
fn summary(durations: impl Iterator<Item = Duration>) -> String {
    let mut durations: Vec<Duration> = durations.collect();
    durations.sort_unstable();
    let max = durations.last().copied().unwrap_or_default();
    let median = durations.get(durations.len() / 2).copied().unwrap_or_default();
    format!("{max:.1?} (median {median:.1?})")
}

/// The longest times without a new total.
struct Stop {
    reader: Duration,
    sink: Duration,
}

/// The processes that must keep running: the aggregator, a sink, and a reader of the totals.
struct Services {
    aggregator: Aggregator,
    sink: Sink,
    reader: Reader,
    read: Arc<Progress>,
    printed: Arc<Progress>,
    /// The folder of the sink's log.
    _folder: TempDir,
}

impl Services {
    fn start(pipeline: &Pipeline, guarantee: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let guarantee = format!("processing_guarantee={guarantee}");
        let aggregator = pipeline.start_ready(&["--set", &guarantee]);
        let (read, printed) = (Arc::new(Progress::default()), Arc::new(Progress::default()));
        let (by_reader, by_sink) = (Arc::clone(&read), Arc::clone(&printed));
        let reader = Reader::start(pipeline, move |aggregate| by_reader.note(aggregate.offset.0));
        let sink = Sink::start(pipeline, folder.path(), move |aggregate| by_sink.note(aggregate.offset.0));
        Self { aggregator, sink, reader, read, printed, _folder: folder }
    }

    /// Waits until totals of records from this offset on have reached the reader and the sink.
    fn until_beyond(&self, offset: i64, after: &str) {
        let began = Instant::now();
        loop {
            let (read, printed) = (self.read.has_reached(offset), self.printed.has_reached(offset));
            if read && printed {
                return;
            }
            assert!(!self.aggregator.has_ended(), "the aggregator ended unexpectedly after {after}");
            assert!(!self.sink.has_ended(), "the sink ended unexpectedly after {after}");
            assert!(
                began.elapsed() < BOUND,
                "after {after}: waited {BOUND:?} for totals beyond {offset}; the reader saw one: {read}, the sink: {printed}"
            );
            pause(Duration::from_millis(20));
        }
    }

    fn longest_stops(&self, since: Instant) -> Stop {
        Stop { reader: self.read.longest_stop(since), sink: self.printed.longest_stop(since) }
    }

    /// Sends SIGTERM to the processes, which must end with exit code 0; returns the totals that were read and those
    /// printed.
    fn stop(self) -> (Vec<Aggregate>, Vec<Aggregate>) {
        self.aggregator.stop();
        (self.reader.stop(), self.sink.stop())
    }
}

/// Prints the state and the logs of the processes if the test fails.
struct ReportOnFailure<'a>(&'a Services);

impl Drop for ReportOnFailure<'_> {
    fn drop(&mut self) {
        let Self(Services { aggregator, sink, .. }) = self;
        if std::thread::panicking() {
            eprintln!("/readyz of the aggregator: {:?}", aggregator.get("/readyz"));
            if let Some((_, metrics)) = aggregator.get("/metrics") {
                metrics.lines().filter(|line| !line.starts_with('#')).for_each(|line| eprintln!("  {line}"));
            }
            eprintln!("the end of the aggregator's log:\n{}", end(&aggregator.log()));
            eprintln!("the end of the sink's log:\n{}", end(&sink.log()));
        }
    }
}

fn end(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
