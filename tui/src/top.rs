use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::app::{App, Input};
use crate::once::once;
use crate::output::Form;
use crate::screen::{ScreenOptions, now, watch};
use crate::source::{Source, SourceOptions};
use crate::theme::Theme;
use crate::view::Report;

/// How long a batch is waited for before the clock is looked at.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);
/// Who looks once does not want to wait for the second answer.
const ONCE_LAG_INTERVAL: Duration = Duration::from_millis(500);

/// What `quipu top` shows, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct TopOptions {
    /// Print the view once and exit
    #[arg(long)]
    pub once: bool,
    /// Print the view as text instead of showing it on the screen [default: plain if standard output is no terminal]
    #[arg(long, value_name = "FORM")]
    pub output: Option<Form>,
    /// With --once: exit with 1 if any audit found duplicates, with 2 if that could not be checked in time
    #[arg(long, requires = "once")]
    pub fail_on_duplicates: bool,
    /// How often the numbers change, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub interval: Duration,
    /// With --once: give up when nothing was to be had for so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// The series that is selected at first, such as records_processed [default: the first]
    #[arg(long, value_name = "SERIES")]
    pub series: Option<String>,
    /// How the screen looks [default: colour, or monochrome if NO_COLOR is set]
    #[arg(long, value_name = "THEME")]
    pub theme: Option<Theme>,
}

/// Runs the dashboard until the user leaves it, a signal comes, or the view was printed once.
///
/// The exit code is 1 if duplicates were found where it was asked to check.
///
/// # Errors
/// If the Kafka client's properties are refused, the terminal goes away, nothing was to be had in time, or whether there
/// are duplicates could not be checked.
pub fn run(mut source: SourceOptions, options: &TopOptions) -> Result<ExitCode> {
    let brokers = source.brokers.clone();
    let is_screen = !options.once && options.output.is_none() && io::stdout().is_terminal();
    let stop = crate::signals::stop(is_screen).context("can't wait for signals")?;
    if options.once {
        source.lag_interval = source.lag_interval.min(ONCE_LAG_INTERVAL);
    }
    let source = Source::start(source)?;
    if options.once {
        return once(&source, App::new(brokers, options.series.clone()), options, &stop);
    }
    if !is_screen {
        return forever(&source, brokers, options, &stop);
    }
    let screen = ScreenOptions {
        brokers,
        interval: options.interval,
        series: options.series.clone(),
        theme: options.theme.unwrap_or_else(|| Theme::from_env(std::env::var_os("NO_COLOR").as_deref())),
    };
    watch(|time| source.recv_timeout(time).map(Input::Batch), &screen, &stop)
        .context("the dashboard ended; --output plain needs no terminal")?;
    Ok(ExitCode::SUCCESS)
}

fn forever(source: &Source, brokers: String, options: &TopOptions, stop: &AtomicBool) -> Result<ExitCode> {
    let form = options.output.unwrap_or(Form::Plain);
    let mut app = App::new(brokers, options.series.clone());
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

/// Prints; false if the reader has seen enough.
pub(crate) fn print(text: &str) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("can't write to standard output"),
    }
}

/// Reads a positive number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let valid = seconds.filter(|seconds| (0.05..=86_400.0).contains(seconds));
    valid.map(Duration::from_secs_f64).ok_or_else(|| "expected seconds from 0.05 to 86400, such as 2 or 0.5".to_owned())
}
