use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Becomes true at the first signal that asks for the end, which then doesn't end the process by itself: SIGINT and
/// SIGTERM; and SIGHUP and SIGQUIT if there is a `screen` to give back, as they also come while the terminal lives on.
///
/// Without a screen these two do what they would do, so that `nohup` keeps a text output alive.
pub(crate) fn stop(screen: bool) -> io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate, mut hangup, mut quit) = {
        let _context = runtime.enter();
        let on_screen = |kind| if screen { signal(kind).map(Some) } else { Ok(None) };
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            on_screen(SignalKind::hangup())?,
            on_screen(SignalKind::quit())?,
        )
    };
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    std::thread::Builder::new().name("quipu-signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = received(hangup.as_mut()) => {}
                () = received(quit.as_mut()) => {}
            }
        });
        stop.store(true, Ordering::SeqCst);
    })?;
    Ok(stopped)
}

/// Waits for a signal; forever if it is none of ours.
async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
