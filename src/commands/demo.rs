//! `quipu demo` and the programs that it starts.

use std::process::ExitCode;

use anyhow::Result;
use quipu_demo::{DemoChild, DemoOptions};

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu demo                                    a million records in about a minute, on the dashboard; q closes it
  quipu demo --no-screen                        progress in a few lines instead of the dashboard
  quipu demo --records 100000 --chart demo.svg
  quipu demo --brokers kafka:9092               the same on a real cluster
  quipu demo --quiet --output json | tail -n 1

The exit code is 1 if the totals differ from the record ids, and 130 if the experiment was interrupted.";

pub(crate) fn run(options: DemoOptions) -> Result<ExitCode> {
    quipu_demo::run(options)
}

pub(crate) fn run_child(child: &DemoChild) -> Result<ExitCode> {
    quipu_demo::run_child(child)?;
    Ok(ExitCode::SUCCESS)
}
