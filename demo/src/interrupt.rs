//! Ctrl-C and SIGTERM.

use std::sync::mpsc::SyncSender;
use std::thread;

use anyhow::{Context as _, Result};
use tokio::signal::ctrl_c;

use crate::happening::Happening;

/// The exit code that a shell gives to a program that was interrupted.
pub(crate) const EXIT_CODE: u8 = 130;

/// Makes the first signal a happening; the second one ends this process at once.
pub(crate) fn listen(happenings: SyncSender<Happening>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    thread::spawn(move || {
        runtime.block_on(async {
            signal().await;
            let _ = happenings.send(Happening::Interrupted);
            signal().await;
            quipu_tui::restore_terminal();
            #[expect(clippy::disallowed_methods, reason = "a user who asks twice wants nothing to be waited for")]
            std::process::exit(EXIT_CODE.into());
        });
    });
    Ok(())
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix;
        if let Ok(mut terminated) = unix::signal(unix::SignalKind::terminate()) {
            tokio::select! {
                _ = ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = ctrl_c().await;
}
