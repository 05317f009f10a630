//! Handles SIGINT and SIGTERM.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Returns a future that completes at the first signal. The second signal ends the process, with the exit code that a
/// shell reports for a program that the signal killed. Call this function within a runtime.
#[expect(clippy::disallowed_methods, reason = "a second signal asks for an immediate end, and a crash loses nothing")]
pub(crate) fn stop() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (first, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
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
