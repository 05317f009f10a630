use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Returns a flag that becomes true at the first SIGINT or SIGTERM. These signals then no longer end the process by
/// themselves. With a `screen`, SIGHUP and SIGQUIT are handled too, because the terminal must be restored even if it
/// continues to exist.
///
/// Without a screen, SIGHUP and SIGQUIT have their default effect, so that `nohup` works for a text output.
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

/// Waits for a signal; waits forever if the signal is not handled.
async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
