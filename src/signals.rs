//! Handles SIGINT, SIGTERM and SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Returns a future that completes at the first signal. The second signal ends the process, with the exit code that a
/// shell reports for a program that the signal killed. Call this function within a runtime.
#[expect(clippy::disallowed_methods, reason = "a second signal asks for an immediate end, and a crash loses nothing")]
pub(crate) fn stop() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    let (first, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
                () = next_hangup(&mut hangup) => 129,
            }
        };
        next().await;
        tracing::info!("stopping; a second signal ends the process at once");
        drop(first);
        std::process::exit(next().await)
    });
    Ok(async move {
        // The first signal drops the sender, which completes the receiver with an error.
        let _ = stopped.await;
    })
}

/// Waits for SIGHUP, for ever if it is ignored.
async fn next_hangup(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => _ = hangup.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether this process was started with SIGHUP ignored, as `nohup` does. A handler would undo that.
fn ignores_hangup() -> bool {
    // Only Linux has this file. The mask is hexadecimal, and SIGHUP is its lowest bit.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
