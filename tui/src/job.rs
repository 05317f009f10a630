use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Signal, getpid, getsid, kill_current_process_group};
use signal_hook::consts::{SIGCONT, SIGTSTP};
use signal_hook::{SigId, flag, low_level};

/// The job control of the shell while the dashboard has the terminal: SIGTSTP must not stop the process before the terminal
/// is restored, and after SIGCONT the dashboard has to take the terminal over again.
pub(crate) struct Job {
    is_to_stop: Arc<AtomicBool>,
    has_continued: Arc<AtomicBool>,
    handlers: [SigId; 2],
}

impl Job {
    pub(crate) fn open() -> io::Result<Self> {
        stops_at_once()?.store(false, Ordering::SeqCst);
        let (is_to_stop, has_continued) = (Arc::default(), Arc::default());
        let handlers =
            [flag::register(SIGTSTP, Arc::clone(&is_to_stop))?, flag::register(SIGCONT, Arc::clone(&has_continued))?];
        Ok(Self { is_to_stop, has_continued, handlers })
    }

    /// Stops the process group, as the terminal does for Ctrl-Z if it is not in raw mode. Returns false if there is no shell
    /// that could continue it, because this process is the first one of its session.
    pub(crate) fn request_stop() -> io::Result<bool> {
        if getsid(None)? == getpid() {
            return Ok(false);
        }
        kill_current_process_group(Signal::TSTP)?;
        Ok(true)
    }

    /// Returns whether the process was asked to stop since the last call.
    pub(crate) fn is_to_stop(&self) -> bool {
        self.is_to_stop.swap(false, Ordering::SeqCst)
    }

    /// Returns whether the process was continued since the last call.
    pub(crate) fn has_continued(&self) -> bool {
        self.has_continued.swap(false, Ordering::SeqCst)
    }

    /// Stops the process until it is continued.
    pub(crate) fn stop() -> io::Result<()> {
        low_level::emulate_default_handler(SIGTSTP)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        for handler in self.handlers {
            low_level::unregister(handler);
        }
        // This handler was registered before, so there is no error.
        if let Ok(stops_at_once) = stops_at_once() {
            stops_at_once.store(true, Ordering::SeqCst);
        }
    }
}

/// Returns whether SIGTSTP has its default effect, which it has unless the dashboard is shown. A handler can't be removed
/// completely, so one for the whole process emulates the default.
fn stops_at_once() -> io::Result<Arc<AtomicBool>> {
    static REGISTERED: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(flag) = &*registered {
        return Ok(Arc::clone(flag));
    }
    let flag = Arc::new(AtomicBool::new(true));
    flag::register_conditional_default(SIGTSTP, Arc::clone(&flag))?;
    *registered = Some(Arc::clone(&flag));
    Ok(flag)
}
