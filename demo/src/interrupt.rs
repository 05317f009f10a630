//! Handles Ctrl-C, SIGTERM, SIGHUP and, while the dashboard is open, SIGQUIT.

use std::sync::mpsc::SyncSender;
use std::thread;

use anyhow::{Context as _, Result};
use tokio::signal::ctrl_c;

use crate::event::Event;

/// The exit code that a shell reports for an interrupted program.
pub(crate) const EXIT_CODE: u8 = 130;

/// Sends an event at the first signal. The second signal ends this process at once, unless it is SIGHUP: a terminal that
/// closes can send SIGHUP twice, once by the kernel and once by the shell.
///
/// SIGHUP keeps its effect of being ignored in a program that `nohup` started. With a `screen`, SIGQUIT is handled too,
/// because the terminal must be restored; without a screen it has its default effect.
pub(crate) fn listen(events: SyncSender<Event>, screen: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let hangup = !hangup_is_ignored();
    thread::spawn(move || {
        runtime.block_on(async {
            signal(hangup, screen).await;
            let _ = events.send(Event::Interrupted);
            signal(false, screen).await;
            quipu_tui::restore_terminal();
            #[expect(clippy::disallowed_methods, reason = "a second signal asks for an immediate end")]
            std::process::exit(EXIT_CODE.into());
        });
    });
    Ok(())
}

/// Waits for a signal. A signal that was waited for once never again has its default effect.
#[cfg(unix)]
async fn signal(hangup: bool, quit: bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let received = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        _ = ctrl_c() => {}
        () = received(SignalKind::terminate()) => {}
        () = received(SignalKind::hangup()), if hangup => {}
        () = received(SignalKind::quit()), if quit => {}
    }
}

#[cfg(not(unix))]
async fn signal(_hangup: bool, _quit: bool) {
    let _ = ctrl_c().await;
}

/// Returns whether this process was started with SIGHUP ignored, as `nohup` does. Only Linux shows it without unsafe code;
/// elsewhere the answer is no.
fn hangup_is_ignored() -> bool {
    const SIGHUP: u32 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
}
