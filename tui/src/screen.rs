use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use ratatui::crossterm::event::{Event, KeyEventKind, MouseEventKind};

use crate::app::{App, Input};
use crate::batch::Batch;
use crate::fleet::{Fleet, Limits};
use crate::job::Job;
use crate::keyboard::Keyboard;
use crate::render::render;
use crate::stderr;
use crate::terminal::Terminal;
use crate::theme::Theme;
use crate::view::View;

/// The screen is drawn at most ten times a second.
const FRAME: Duration = Duration::from_millis(100);
/// How long the loop waits for a key before it reads data again.
const KEYS: Duration = Duration::from_millis(50);
/// How long the loop reads data before it reads keys again.
const DATA: Duration = Duration::from_millis(50);

/// The options of the screen.
#[derive(Debug, Clone)]
pub struct ScreenOptions {
    /// The brokers' addresses, for the header.
    pub brokers: String,
    /// How often the numbers are updated; 1 s by default. Keys take effect at once.
    pub interval: Duration,
    /// The series (text or name) that is selected at first; none by default.
    pub series: Option<String>,
    /// The theme; colour by default.
    pub theme: Theme,
    /// Whether the mouse selects and scrolls at first; true by default. A key changes it.
    pub mouse: bool,
    /// Whether Ctrl-Z suspends the program; true by default.
    pub suspends: bool,
    /// After this time without a report a run is silent; 30 s by default. It is the aggregator's `instance_timeout`.
    pub instance_timeout: Duration,
}

impl Default for ScreenOptions {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            interval: Duration::from_secs(1),
            series: None,
            theme: Theme::Colour,
            mouse: true,
            suspends: true,
            instance_timeout: Duration::from_secs(30),
        }
    }
}

/// Shows the dashboard on the terminal until the user closes it or `stop` becomes true, and returns the fleet.
///
/// `feed` returns the next input. It must not wait longer than its argument. For a [`Source`](crate::Source):
///
/// ```no_run
/// use std::sync::atomic::AtomicBool;
/// use quipu_tui::{ScreenOptions, Source, SourceOptions, app::Input, watch};
///
/// let source = Source::start(SourceOptions::default())?;
/// let stop = AtomicBool::new(false);
/// let fleet = watch(|time| source.recv_timeout(time).map(Input::Batch), &ScreenOptions::default(), &stop)?;
/// println!("{} series", fleet.series().count());
/// # anyhow::Ok(())
/// ```
///
/// An [`Input::Notice`] from the feed is shown in the bottom line.
///
/// # Errors
/// Standard output is no terminal, or the terminal was closed. The terminal is restored before the error is returned.
pub fn watch(
    mut feed: impl FnMut(Duration) -> Option<Input>,
    options: &ScreenOptions,
    stop: &AtomicBool,
) -> Result<Fleet> {
    let job = Job::open().context("can't wait for signals")?;
    let mut terminal = Terminal::open().context("can't take over the terminal")?;
    let keyboard = Keyboard::open().context("can't read from the terminal")?;
    let mut app = app(&options.brokers, options.series.clone(), options.instance_timeout);
    app.uses_mouse = options.mouse;
    let mut next_tick = Instant::now();
    let mut next_frame = Instant::now();
    let mut is_stale = true;
    let mut is_more = false;
    while !app.is_done && !stop.load(Ordering::SeqCst) {
        let wait = if is_more { Duration::ZERO } else { KEYS };
        is_stale |= take_keys(&mut app, &keyboard, wait).context("can't read from the terminal")?;
        if std::mem::take(&mut app.is_suspending)
            && !(options.suspends && Job::request_stop().context("can't suspend")?)
        {
            app.update(Input::Notice("this program can't be suspended".to_owned()), now());
        }
        is_stale |= follow_shell(&job, &mut terminal).context("can't give back or take over the terminal")?;

        let deadline = Instant::now() + DATA;
        is_more = true;
        while is_more && Instant::now() < deadline {
            match feed(Duration::ZERO) {
                Some(input) => {
                    // Numbers are updated at the next tick, all other inputs at the next frame.
                    is_stale |= !matches!(input, Input::Batch(Batch::Records { .. } | Batch::Lag(_)));
                    app.update(input, now());
                }
                None => is_more = false,
            }
        }
        if Instant::now() >= next_tick {
            next_tick = Instant::now() + options.interval;
            app.update(Input::Tick, now());
            is_stale = true;
        }
        ensure!(stderr::is_ours(), "a thread panicked; the message is above");
        if is_stale && Instant::now() >= next_frame {
            next_frame = Instant::now() + FRAME;
            is_stale = false;
            terminal.set_mouse(app.uses_mouse).context("can't write to the terminal")?;
            draw(&mut terminal, &mut app, options.theme).context("can't write to the terminal")?;
        }
    }
    Ok(app.fleet)
}

/// Applies the keys that were pressed, after waiting for the first one. Returns whether the screen must be redrawn.
fn take_keys(app: &mut App, keyboard: &Keyboard, wait: Duration) -> std::io::Result<bool> {
    let mut is_new = false;
    let mut wait = wait;
    while let Some(event) = keyboard.next(wait) {
        wait = Duration::ZERO;
        match event? {
            Event::Key(key) if key.kind != KeyEventKind::Release => app.update(Input::Key(key), now()),
            // A click is one event for the press and one for the release.
            Event::Mouse(mouse) if !matches!(mouse.kind, MouseEventKind::Up(_)) => {
                app.update(Input::Mouse(mouse), now());
            }
            Event::Resize(columns, rows) => app.update(Input::Resize(columns, rows), now()),
            _ => continue,
        }
        is_new = true;
    }
    Ok(is_new)
}

/// Suspends the program if a signal asks for it, and takes the terminal over again after it was continued. Returns whether
/// the screen must be redrawn.
fn follow_shell(job: &Job, terminal: &mut Terminal) -> std::io::Result<bool> {
    if job.is_to_stop() {
        terminal.leave(Job::stop)?;
        // The signal that continued the process has been followed.
        job.has_continued();
        return Ok(true);
    }
    let has_continued = job.has_continued();
    if has_continued {
        // SIGSTOP stopped the process, and the shell has used the terminal meanwhile.
        terminal.leave(|| Ok(()))?;
    }
    Ok(has_continued)
}

/// Creates an empty dashboard.
pub(crate) fn app(brokers: &str, series: Option<String>, instance_timeout: Duration) -> App {
    let mut app = App::new(brokers, series);
    let instance_timeout = i64::try_from(instance_timeout.as_millis()).unwrap_or(i64::MAX);
    app.fleet = Fleet::new(Limits { instance_timeout, ..Limits::default() });
    app
}

fn draw(terminal: &mut Terminal, app: &mut App, theme: Theme) -> std::io::Result<()> {
    let now = now();
    terminal.inner.draw(|frame| {
        let area = frame.area();
        app.update(Input::Resize(area.width, area.height), now);
        render(&View::new(app, now), theme, area, frame.buffer_mut());
    })?;
    Ok(())
}

/// Returns the time in ms since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
