//! The dashboard on the terminal, while the experiment goes on.

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

/// The numbers change as often as the instances report by default.
const INTERVAL: Duration = Duration::from_millis(250);

/// So many notices may wait for the next frame.
const NOTICES: usize = 16;

/// The dashboard, on a thread of its own. It is closed when this is dropped, so that an error is not written across it.
pub(crate) struct Screen {
    notices: SyncSender<String>,
    stop: Arc<AtomicBool>,
    /// Taken when it is waited for.
    thread: Option<JoinHandle<Result<()>>>,
}

impl Screen {
    /// Whether there is a terminal to show it on and to type at.
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
        };
        let source = Source::start(source).context("the fleet can't be watched")?;
        let stop = Arc::new(AtomicBool::new(false));
        let (notices, said) = sync_channel(NOTICES);
        let stopped = Arc::clone(&stop);
        let show = move || {
            let shown = watch(|time| next(&said, &source, time), &options, &stopped);
            shown.map(drop).context("the dashboard ended; --no-screen needs none")
        };
        let thread = thread::Builder::new().name("quipu-screen".to_owned()).spawn(show).context("no thread")?;
        Ok(Self { notices, stop, thread: Some(thread) })
    }

    /// Says something in the bottom line.
    pub(crate) fn say(&self, notice: String) {
        // Nobody hears it if the user has just left.
        let _ = self.notices.try_send(notice);
    }

    /// Whether the user left it, or it failed.
    pub(crate) fn is_left(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Gives the terminal back.
    pub(crate) fn close(mut self) -> Result<()> {
        self.end()
    }

    /// Waits until the terminal was given back, and tells how the dashboard ended.
    fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(anyhow!("the dashboard panicked; why is above")))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Whoever drops it has an error of their own to tell.
        let _ = self.end();
    }
}

fn next(said: &Receiver<String>, source: &Source, time: Duration) -> Option<Input> {
    match said.try_recv() {
        Ok(notice) => Some(Input::Notice(notice)),
        Err(_) => source.recv_timeout(time).map(Input::Batch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_that_is_dropped_has_given_the_terminal_back() {
        let (notices, _said) = sync_channel(NOTICES);
        let stop = Arc::new(AtomicBool::new(false));
        let is_back = Arc::new(AtomicBool::new(false));
        let (stopped, back) = (Arc::clone(&stop), Arc::clone(&is_back));
        let (started, is_started) = sync_channel(0);
        let dashboard = thread::spawn(move || {
            started.send(()).unwrap();
            while !stopped.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            back.store(true, Ordering::SeqCst);
            Ok(())
        });
        is_started.recv().unwrap();
        drop(Screen { notices, stop, thread: Some(dashboard) });
        assert!(is_back.load(Ordering::SeqCst));
    }
}
