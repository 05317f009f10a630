//! Ctrl-C, SIGTERM, and what ends a program on a terminal.

use std::sync::mpsc::SyncSender;
use std::thread;

use anyhow::{Context as _, Result};
use tokio::signal::ctrl_c;

use crate::happening::Happening;

/// The exit code that a shell gives to a program that was interrupted.
pub(crate) const EXIT_CODE: u8 = 130;

/// Makes the first signal a happening; the second one ends this process at once.
///
/// SIGHUP and SIGQUIT are among them if there may be a `screen` to give back, as they also come while the terminal
/// lives on. Without one they do what they would do, so that `nohup` keeps its meaning.
pub(crate) fn listen(happenings: SyncSender<Happening>, screen: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    thread::spawn(move || {
        runtime.block_on(async {
            signal(screen).await;
            let _ = happenings.send(Happening::Interrupted);
            signal(screen).await;
            quipu_tui::restore_terminal();
            #[expect(clippy::disallowed_methods, reason = "a user who asks twice wants nothing to be waited for")]
            std::process::exit(EXIT_CODE.into());
        });
    });
    Ok(())
}

#[cfg(unix)]
async fn signal(screen: bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let received = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        _ = ctrl_c() => {}
        () = received(SignalKind::terminate()) => {}
        () = received(SignalKind::hangup()), if screen => {}
        () = received(SignalKind::quit()), if screen => {}
    }
}

#[cfg(not(unix))]
async fn signal(_screen: bool) {
    let _ = ctrl_c().await;
}
