//! Handles Ctrl-C, SIGTERM and, while the dashboard is open, SIGHUP and SIGQUIT.

use std::sync::mpsc::SyncSender;
use std::thread;

use anyhow::{Context as _, Result};
use tokio::signal::ctrl_c;

use crate::event::Event;

/// The exit code that a shell reports for an interrupted program.
pub(crate) const EXIT_CODE: u8 = 130;

/// Sends an event at the first signal; the second signal ends this process at once.
///
/// With a `screen`, SIGHUP and SIGQUIT are handled too, because the terminal must be restored even if it continues to
/// exist. Without a screen they have their default effect, so that `nohup` works.
pub(crate) fn listen(events: SyncSender<Event>, screen: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    thread::spawn(move || {
        runtime.block_on(async {
            signal(screen).await;
            let _ = events.send(Event::Interrupted);
            signal(screen).await;
            quipu_tui::restore_terminal();
            #[expect(clippy::disallowed_methods, reason = "a second signal asks for an immediate end")]
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
