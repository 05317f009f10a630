//! The experiment `quipu demo`: a million records, two consumers, and the records that are processed twice.
//!
//! A producer sends records. Consumer `app-1` processes them alone, then `app-2` joins its group, then `app-2` leaves
//! without committing what it did last, so `app-1` does it again. Each of them is a process of its own that reports its
//! counters; the aggregator sums them up; and whatever is shown comes from the topics `metrics` and `metrics-agg`, as
//! any outsider could read it. At the end the audit's delta is held against the ids of the records that were processed,
//! which the consumers write down: the two must agree.

mod chart;
mod child;
mod cluster;
mod display;
mod experiment;
mod format;
mod happening;
mod interrupt;
mod options;
mod plan;
mod programs;
mod summary;
mod venue;
mod watch;

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;

use anyhow::{Context as _, Result};

pub use child::{DemoChild, run_child};
pub use options::{DemoOptions, Output};

use display::{Display, Screen};
use experiment::{End, Experiment};
use summary::Summary;
use venue::Venue;
use watch::ids::{self, IdFolder};
use watch::log::Log;
use watch::observer::CONSUMERS;
use watch::truth::{Ledger, Truth};

/// So many may wait to be attended to; whoever has more to say waits, too.
const HAPPENINGS: usize = 64;

/// Runs the experiment. It starts this very program as `demo-child …`, which has to end up in [`run_child`].
///
/// On a terminal it shows the dashboard until the user leaves it, which ends the experiment if it is not over.
///
/// The exit code is 0 if the audit and the record ids agree, 1 if they don't or a record was lost, and 130 if the user
/// ended it.
///
/// # Errors
/// The experiment could not be done: no broker, a program that failed, a file that can't be written.
#[expect(clippy::needless_pass_by_value, reason = "options are for one run")]
pub fn run(options: DemoOptions) -> Result<ExitCode> {
    let chart = options.chart.as_deref().map(create).transpose()?;
    let ids = IdFolder::open(options.ids.as_deref())?;
    let (sender, happenings) = sync_channel(HAPPENINGS);
    let has_screen = !options.quiet && !options.no_screen && Screen::is_possible();
    interrupt::listen(sender.clone(), has_screen)?;
    let venue = Venue::open(&options)?;
    // Whatever fails below, the terminal is given back before the venue is left and before the error is told.
    let mut display = Display::new(options.quiet);
    display.say(&venue.introduction(&options));
    if has_screen {
        display.open(Screen::open(venue.source())?);
    }

    let experiment = Experiment::new(&options, &venue, ids.path(), &mut display, sender)?;
    let (end, log) = experiment.run(&happenings)?;

    if let Some(mut chart) = chart {
        let svg = chart::draw(&log.series.samples(), &log.events);
        chart.write_all(svg.as_bytes()).context("the chart can't be written")?;
    }
    let code = match end {
        End::Complete => conclude(&options, &log, ids.path())?,
        End::Interrupted => {
            tell(&summary::partial(&log.seen, log.lasted()));
            ExitCode::from(interrupt::EXIT_CODE)
        }
    };
    venue.close()?;
    Ok(code)
}

/// Holds what was seen against the truth, and says what came out.
fn conclude(options: &DemoOptions, log: &Log, ids: &Path) -> Result<ExitCode> {
    let summary =
        Summary { records: options.records, seen: log.seen, truth: truth(options.records, ids)?, took: log.lasted() };
    match options.output {
        Output::Text => print(&format!("\n{}", summary.text()))?,
        Output::Json => {
            if !options.quiet || !summary.faults().is_empty() {
                tell(&format!("\n{}", summary.text()));
            }
            print(&summary.json().context("the result is no JSON")?)?;
        }
    }
    Ok(if summary.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn truth(sent: u64, folder: &Path) -> Result<Truth> {
    let mut ledger = Ledger::new(sent);
    for instance in CONSUMERS {
        let file = programs::ids_file(folder, instance);
        ids::read(&file, |id| ledger.processed(id)).with_context(|| format!("can't read {}", file.display()))?;
    }
    Ok(ledger.truth())
}

/// Prints the result. A reader that has seen enough is no failure.
fn print(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("the result can't be printed"),
        _ => Ok(()),
    }
}

/// Says something beside the result, to whom it may concern.
fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("can't create {}", path.display()))
}
