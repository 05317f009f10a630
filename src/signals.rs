//! SIGINT and SIGTERM.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Returns a future that completes at the first signal. The second ends the process, with the exit code that a shell
/// gives to a program that the signal killed. To be called within a runtime.
#[expect(clippy::disallowed_methods, reason = "the user insists, and a total that is published twice does no harm")]
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
        // The sender is dropped at the first signal; nothing is ever sent.
        let _ = stopped.await;
    })
}
