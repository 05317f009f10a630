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

/// The terminal in our hands: raw, on its alternate screen. It is given back when this is dropped, and before a panic
/// in any thread is reported.
pub(crate) struct Terminal {
    pub(crate) inner: ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Terminal {
    pub(crate) fn open() -> io::Result<Self> {
        give_back_before_panics();
        // From here on whatever fails gives the terminal back.
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

/// Gives the terminal back if the dashboard has it. For whoever ends the process without unwinding; otherwise it
/// happens by itself.
pub fn restore_terminal() {
    stderr::release(|| {
        if IS_OURS.swap(false, Ordering::SeqCst) {
            // If the terminal is gone there is nothing left to restore, and nobody to tell.
            // Some terminals that were resized meanwhile keep what is not cleared.
            let _ = execute!(stdout(), Clear(ClearType::All), LeaveAlternateScreen, Show);
            let _ = disable_raw_mode();
        }
    });
}

fn give_back_before_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore_terminal();
            report(panic);
        }));
    });
}
