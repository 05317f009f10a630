use std::io::{self, BufWriter, Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::Ordering;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::DisableMouseCapture;
use ratatui::crossterm::execute;
use ratatui::crossterm::style::Print;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::stderr::{self, IS_OURS};

/// Makes the terminal report clicks and the wheel, in the form that has no limit on columns. Moves are not reported.
const REPORT_CLICKS: &str = "\x1b[?1000h\x1b[?1006h";

type Screen = ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// The terminal in raw mode, on its alternate screen. It is restored when this value is dropped, and before a panic in any
/// thread is reported.
pub(crate) struct Terminal {
    pub(crate) inner: Screen,
    has_mouse: bool,
}

impl Terminal {
    pub(crate) fn open() -> io::Result<Self> {
        restore_before_panics();
        // If something fails from here on, dropping `terminal` restores the terminal.
        let terminal = Self { inner: empty()?, has_mouse: false };
        enter()?;
        Ok(terminal)
    }

    /// Makes the terminal report the mouse, or leaves the mouse to the terminal.
    pub(crate) fn set_mouse(&mut self, is_on: bool) -> io::Result<()> {
        if self.has_mouse != is_on {
            self.has_mouse = is_on;
            if is_on {
                execute!(stdout(), Print(REPORT_CLICKS))?;
            } else {
                execute!(stdout(), DisableMouseCapture)?;
            }
        }
        Ok(())
    }

    /// Gives the terminal back, calls `meanwhile`, and takes the terminal over again. The screen must be drawn afterwards.
    pub(crate) fn leave(&mut self, meanwhile: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        restore_terminal();
        self.has_mouse = false;
        let outcome = meanwhile();
        enter()?;
        // `ratatui::Terminal::clear` would ask the terminal for the cursor, and the keyboard's thread may read the answer.
        execute!(stdout(), Clear(ClearType::All))?;
        self.inner = empty()?;
        outcome
    }
}

/// Returns a screen on which nothing was drawn yet.
fn empty() -> io::Result<Screen> {
    ratatui::Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdout())))
}

fn enter() -> io::Result<()> {
    IS_OURS.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, Hide)
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore_terminal();
    }
}

/// Restores the terminal if the dashboard has it. Call this before the process exits without unwinding; otherwise the
/// terminal is restored automatically.
pub fn restore_terminal() {
    stderr::release(|| {
        if IS_OURS.swap(false, Ordering::SeqCst) {
            // Errors are ignored: if the terminal is gone, there is nothing to restore.
            // The screen is cleared, because some terminals that were resized would keep its content.
            let _ = execute!(stdout(), DisableMouseCapture, Clear(ClearType::All), LeaveAlternateScreen, Show);
            let _ = disable_raw_mode();
        }
    });
}

fn restore_before_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore_terminal();
            report(panic);
        }));
    });
}
