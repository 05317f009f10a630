use std::io::{self, BufWriter, Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::Ordering;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::stderr::{self, IS_OURS};

/// The terminal in raw mode, on its alternate screen. It is restored when this value is dropped, and before a panic in any
/// thread is reported.
pub(crate) struct Terminal {
    pub(crate) inner: ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Terminal {
    pub(crate) fn open() -> io::Result<Self> {
        restore_before_panics();
        // If something fails from here on, dropping `terminal` restores the terminal.
        let inner = ratatui::Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdout())))?;
        let terminal = Self { inner };
        IS_OURS.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        Ok(terminal)
    }
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
            let _ = execute!(stdout(), Clear(ClearType::All), LeaveAlternateScreen, Show);
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
