mod once;
mod options;
mod print;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::app::{App, Input};
use crate::output::Form;
use crate::screen::{self, ScreenOptions, now, watch};
use crate::source::{Source, SourceOptions};
use crate::theme::Theme;
use crate::view::Report;
use once::once;
use options::PATIENCE;
pub use options::TopOptions;
use print::print;

/// With `--once`, a shorter interval than that of the dashboard, because the second lag report is waited for.
const ONCE_LAG_INTERVAL: Duration = Duration::from_millis(500);

/// Runs the dashboard until the user closes it, a signal comes, or, with `--once`, the view was printed.
///
/// `instance_timeout` is the aggregator's: after this time without a report a run is silent. The exit code is 1 if `--fail-on-duplicates` is set and duplicates were found.
///
/// # Errors
/// The Kafka client's properties are not valid, the terminal was closed, the topics could not be read in time, or
/// duplicates could not be checked.
pub fn run(mut source: SourceOptions, options: &TopOptions, instance_timeout: Duration) -> Result<ExitCode> {
    let brokers = source.brokers.clone();
    let is_screen = !options.once && options.output.is_none() && io::stdout().is_terminal();
    let stop = crate::signals::stop(is_screen).context("can't wait for signals")?;
    if options.once {
        source.lag_interval = source.lag_interval.min(ONCE_LAG_INTERVAL);
    }
    let source = Source::start(source)?;
    if options.once {
        return once(&source, screen::app(&brokers, options.series.clone(), instance_timeout), options, &stop);
    }
    if !is_screen {
        return forever(&source, screen::app(&brokers, options.series.clone(), instance_timeout), options, &stop);
    }
    let screen = ScreenOptions {
        brokers,
        interval: options.interval,
        series: options.series.clone(),
        theme: options.theme.unwrap_or_else(|| Theme::from_env(std::env::var_os("NO_COLOR").as_deref())),
        mouse: !options.no_mouse,
        suspends: true,
        instance_timeout,
    };
    watch(|time| source.recv_timeout(time).map(Input::Batch), &screen, &stop)
        .context("the dashboard failed; --output plain runs without a terminal")?;
    Ok(ExitCode::SUCCESS)
}

fn forever(source: &Source, mut app: App, options: &TopOptions, stop: &AtomicBool) -> Result<ExitCode> {
    let form = options.output.unwrap_or(Form::Plain);
    while !stop.load(Ordering::SeqCst) {
        let next = Instant::now() + options.interval;
        while Instant::now() < next && !stop.load(Ordering::SeqCst) {
            let wait = next.saturating_duration_since(Instant::now()).min(PATIENCE);
            if let Some(batch) = source.recv_timeout(wait) {
                app.update(Input::Batch(batch), now());
            }
        }
        app.update(Input::Tick, now());
        let mut text = form.text(&Report::new(&app, now()));
        if form == Form::Plain {
            text.push('\n');
        }
        if !print(&text)? {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}
