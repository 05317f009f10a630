//! Shows the dashboard on the terminal during the experiment.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use quipu_tui::app::Input;
use quipu_tui::{ScreenOptions, Source, SourceOptions, Theme, watch};

use crate::watch::observer::PROCESSED;

/// The screen is redrawn as often as the instances report by default.
const INTERVAL: Duration = Duration::from_millis(250);

/// How many notices may wait for the next frame.
const NOTICES: usize = 16;

/// The dashboard, on a thread of its own. Dropping it restores the terminal, so that an error message is printed below
/// the dashboard and not over it.
pub(crate) struct Screen {
    notices: SyncSender<String>,
    stop: Arc<AtomicBool>,
    /// The thread; `None` after it was joined.
    thread: Option<JoinHandle<Result<()>>>,
}

impl Screen {
    /// Returns whether standard input, output and error are terminals.
    pub(crate) fn is_possible() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
    }

    /// Takes over the terminal.
    pub(crate) fn open(source: SourceOptions) -> Result<Self> {
        let options = ScreenOptions {
            brokers: source.brokers.clone(),
            interval: INTERVAL,
            series: Some(PROCESSED.to_owned()),
            theme: Theme::from_env(std::env::var_os("NO_COLOR").as_deref()),
            // The programs of the experiment would go on without its broker.
            suspends: false,
            ..ScreenOptions::default()
        };
        let source = Source::start(source).context("the fleet can't be watched")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (notices, pending) = sync_channel(NOTICES);
        let stopped = Arc::clone(&stop);
        let show = move || {
            let shown = watch(|time| next(&pending, &source, time), &options, &stopped);
            shown.map(drop).context("the dashboard failed; --no-screen runs without it")
        };
        let thread = thread::Builder::new().name("quipu-screen".to_owned()).spawn(show).context("no thread")?;
        Ok(Self { notices, stop, thread: Some(thread) })
    }

    /// Shows a notice in the bottom line.
    pub(crate) fn show_notice(&self, notice: String) {
        // Sending fails if the user has just closed the dashboard; then the notice is not needed.
        let _ = self.notices.try_send(notice);
    }

    /// Returns whether the user closed the dashboard, or it failed.
    pub(crate) fn is_closed(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Closes the dashboard and restores the terminal.
    pub(crate) fn close(mut self) -> Result<()> {
        self.end()
    }

    /// Waits until the terminal is restored, and returns the error with which the dashboard ended.
    fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(anyhow!("the dashboard panicked; the panic message is above")))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The screen is dropped without `close` only because of another error, which is reported instead.
        let _ = self.end();
    }
}

/// Returns the next notice, or else the next batch from the topics.
fn next(notices: &Receiver<String>, source: &Source, time: Duration) -> Option<Input> {
    match notices.try_recv() {
        Ok(notice) => Some(Input::Notice(notice)),
        Err(_) => source.recv_timeout(time).map(Input::Batch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_screen_restores_the_terminal() {
        let (notices, _pending) = sync_channel(NOTICES);
        let stop = Arc::new(AtomicBool::new(false));
        let is_restored = Arc::new(AtomicBool::new(false));
        let (stopped, restored) = (Arc::clone(&stop), Arc::clone(&is_restored));
        let (started, is_started) = sync_channel(0);
        let dashboard = thread::spawn(move || {
            started.send(()).unwrap();
            while !stopped.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            restored.store(true, Ordering::SeqCst);
            Ok(())
        });
        is_started.recv().unwrap();
        drop(Screen { notices, stop, thread: Some(dashboard) });
        assert!(is_restored.load(Ordering::SeqCst));
    }
}
