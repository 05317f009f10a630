//! The experiment `quipu demo`: a million records, two consumers, and the records that are processed twice.
//!
//! A producer sends records. Consumer `app-1` processes them alone. Then `app-2` joins its group, processes records, and
//! leaves without committing the last of them, so `app-1` processes these again. Each of the three is a process of its
//! own that reports its counters, and the aggregator sums them up. All numbers that are shown come from the topics
//! `metrics` and `metrics-agg`. The consumers also write the ids of the records that they processed to files. At the end
//! the audit's delta is compared with these ids: the two must agree.

mod chart;
mod child;
mod cluster;
mod display;
mod event;
mod experiment;
mod format;
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
use watch::id_counts::{IdCounts, ProcessedIds};
use watch::ids::{self, IdFolder};
use watch::log::Log;
use watch::observer::CONSUMERS;

/// How many events may be queued; a sender waits while the queue is full.
const EVENTS: usize = 64;

/// Runs the experiment. It starts this program again as `demo-child …`, which must call [`run_child`].
///
/// On a terminal it shows the dashboard until the user closes it. Closing it early ends the experiment.
///
/// The exit code is 0 if the audit and the record ids agree, 1 if they don't agree or a record was lost, and 130 if the
/// user interrupted the experiment.
///
/// # Errors
/// The experiment could not be completed: no broker could be reached, a program failed, or a file can't be written.
#[expect(clippy::needless_pass_by_value, reason = "options are for one run")]
pub fn run(options: DemoOptions) -> Result<ExitCode> {
    let chart = options.chart.as_deref().map(create).transpose()?;
    let ids = IdFolder::open(options.ids.as_deref())?;
    let (sender, events) = sync_channel(EVENTS);
    let has_screen = !options.quiet && !options.no_screen && Screen::is_possible();
    interrupt::listen(sender.clone(), has_screen)?;
    let venue = Venue::open(&options)?;
    // Values are dropped in reverse order: if something below fails, the terminal is restored before the topics are
    // deleted and before the error is printed.
    let mut display = Display::new(options.quiet);
    let program = std::env::args_os().next().unwrap_or_else(|| "quipu".into());
    display.print_line(&venue.introduction(&options, &program.to_string_lossy()));
    if has_screen {
        display.open(Screen::open(venue.source())?);
    }

    let experiment = Experiment::new(&options, &venue, ids.path(), &mut display, sender)?;
    let (end, log) = experiment.run(&events)?;

    if let Some(mut chart) = chart {
        let svg = chart::draw(&log.series.samples(), &log.milestones);
        chart.write_all(svg.as_bytes()).context("the chart can't be written")?;
    }
    let code = match end {
        End::Complete => conclude(&options, &log, ids.path())?,
        End::Interrupted => {
            print_note(&summary::partial(&log.seen, log.lasted()));
            ExitCode::from(interrupt::EXIT_CODE)
        }
    };
    venue.close()?;
    Ok(code)
}

/// Compares the totals with the record ids, and prints the result.
fn conclude(options: &DemoOptions, log: &Log, ids: &Path) -> Result<ExitCode> {
    let summary =
        Summary { records: options.records, seen: log.seen, ids: id_counts(options.records, ids)?, took: log.lasted() };
    match options.output {
        Output::Text => print(&format!("\n{}", summary.text()))?,
        Output::Json => {
            if !options.quiet || !summary.faults().is_empty() {
                print_note(&format!("\n{}", summary.text()));
            }
            print(&summary.json().context("the result can't be written as JSON")?)?;
        }
    }
    Ok(if summary.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Counts the ids that the consumers wrote to their files.
fn id_counts(sent: u64, folder: &Path) -> Result<IdCounts> {
    let mut processed = ProcessedIds::new(sent);
    for instance in CONSUMERS {
        let file = programs::ids_file(folder, instance);
        ids::read(&file, |id| processed.add(id)).with_context(|| format!("can't read {}", file.display()))?;
    }
    Ok(processed.counts())
}

/// Prints the result. A closed pipe is no error: its reader needs no more output.
fn print(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("the result can't be printed"),
        _ => Ok(()),
    }
}

/// Prints text to standard error, beside the result; an error is ignored.
fn print_note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("can't create {}", path.display()))
}
