use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::app::{App, Input};
use crate::batch::{Batch, Topic, TopicState};
use crate::fleet::Pipeline;
use crate::format;
use crate::name::Name;
use crate::output::Form;
use crate::render::words;
use crate::screen::now;
use crate::source::Source;
use crate::view::{Report, header};

use super::options::{PATIENCE, TopOptions};
use super::print::print;

/// Runs `quipu top --once`: prints the view after both topics were read.
pub(crate) fn once(source: &Source, mut app: App, options: &TopOptions, stop: &AtomicBool) -> Result<ExitCode> {
    read(source, &mut app, options.timeout, stop)?;
    // The preferred series is selected at a tick.
    app.update(Input::Tick, now());
    if let Some(missing) = app.missing_series() {
        bail!("--series: {}", Name::new(missing));
    }
    await_progress(source, &mut app, stop)?;
    let mut behind = 0;
    if options.fail_on_duplicates {
        behind = await_aggregator(source, &mut app, options.timeout, stop)?;
    }
    app.update(Input::Tick, now());
    let report = Report::new(&app, now());
    print(&options.output.unwrap_or(Form::Plain).text(&report))?;
    if options.fail_on_duplicates { check(&report, behind) } else { Ok(ExitCode::SUCCESS) }
}

/// Reads both topics to their ends, and the first lag report.
fn read(source: &Source, app: &mut App, timeout: Duration, stop: &AtomicBool) -> Result<()> {
    let mut deadline = Instant::now() + timeout;
    while !is_complete(app.fleet.pipeline()) {
        if stop.load(Ordering::SeqCst) {
            bail!("stopped before the topics were read");
        }
        if Instant::now() >= deadline {
            let (_, word, detail) = words(&header(app, app.scope(now())), usize::MAX);
            let seconds = timeout.as_secs_f64();
            bail!("the topics were not read within {seconds} s (--timeout): {} {detail}", word.to_lowercase());
        }
        if let Some(batch) = source.recv_timeout(PATIENCE) {
            // A long topic may take longer than the timeout, as long as records come.
            if matches!(batch, Batch::Records { .. }) {
                deadline = Instant::now() + timeout;
            }
            app.update(Input::Batch(batch), now());
        }
    }
    Ok(())
}

fn is_complete(pipeline: &Pipeline) -> bool {
    [Topic::Metrics, Topic::Aggregates].iter().all(|topic| {
        let topic = pipeline.topic(*topic);
        topic.state == TopicState::CaughtUp && topic.log_end.is_some()
    })
}

/// If the aggregator has records to read, waits until its position changes, or until it has been the same for so long that
/// the aggregator is behind.
fn await_progress(source: &Source, app: &mut App, stop: &AtomicBool) -> Result<()> {
    let unchanged_since = app.fleet.pipeline().aggregator_stuck_since();
    while unchanged_since.is_some() && app.fleet.pipeline().aggregator_stuck_since() == unchanged_since {
        ensure!(!stop.load(Ordering::SeqCst), "stopped before the aggregator was seen to read");
        if app.scope(now()).is_behind {
            break;
        }
        if let Some(batch) = source.recv_timeout(PATIENCE) {
            app.update(Input::Batch(batch), now());
        }
    }
    Ok(())
}

/// Waits until the aggregator has read all reports up to now and its totals were read here. Returns how many records the
/// aggregator still has to read after the timeout.
fn await_aggregator(source: &Source, app: &mut App, timeout: Duration, stop: &AtomicBool) -> Result<i64> {
    let reported = app.fleet.pipeline().topic(Topic::Metrics).position.unwrap_or(0);
    let behind = |app: &App| (reported - app.fleet.pipeline().aggregator_position().unwrap_or(0)).max(0);
    let deadline = Instant::now() + timeout;
    // The totals were committed together with the position, and are read by the time of the next lag report.
    let mut reports_since = 0;
    while reports_since < 2 && Instant::now() < deadline {
        ensure!(!stop.load(Ordering::SeqCst), "stopped before the aggregator had read all reports");
        if let Some(batch) = source.recv_timeout(PATIENCE) {
            let is_lag = matches!(batch, Batch::Lag(_));
            app.update(Input::Batch(batch), now());
            if is_lag && behind(app) == 0 {
                reports_since += 1;
            }
        }
    }
    Ok(behind(app))
}

/// Returns the exit code for scripts; `behind` is how many records the aggregator still has to read.
fn check(report: &Report, behind: i64) -> Result<ExitCode> {
    if report.audits.iter().any(|audit| audit.duplicates > 0) {
        return Ok(ExitCode::from(1));
    }
    if report.audits.is_empty() {
        bail!("there is no audit to check: add an [[audit]] to the aggregator's configuration");
    }
    if let Some(audit) = report.audits.iter().find(|audit| audit.delta.is_none()) {
        bail!("the audit {} can't be checked: its delta has not been published yet", audit.audit);
    }
    if behind > 0 {
        let behind = format::count(behind.into());
        bail!("the audits can't be checked: the aggregator is {behind} records behind; is it running? (--timeout)");
    }
    Ok(ExitCode::SUCCESS)
}
