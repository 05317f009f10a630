use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{Event, poll, read};

/// How long the thread waits for a key before it checks whether the keyboard was closed.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long closing waits for the thread.
const GRACE: Duration = Duration::from_millis(300);
/// How many events may be queued.
const KEYS: usize = 64;

/// Reads terminal events on a thread of its own, because a read never returns after the terminal is gone.
pub(crate) struct Keyboard {
    events: Receiver<io::Result<Event>>,
    is_closed: Arc<AtomicBool>,
}

impl Keyboard {
    pub(crate) fn open() -> io::Result<Self> {
        let (sender, events) = sync_channel(KEYS);
        let is_closed = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&is_closed);
        std::thread::Builder::new().name("quipu-keyboard".to_owned()).spawn(move || pass_on(&sender, &closed))?;
        Ok(Self { events, is_closed })
    }

    /// Returns the next event; `None` if none comes within `wait`.
    pub(crate) fn next(&self, wait: Duration) -> Option<io::Result<Event>> {
        match self.events.recv_timeout(wait) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::SeqCst);
        // The thread must not read keys that are typed after this for another program.
        let deadline = Instant::now() + GRACE;
        while let Ok(_late) = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {}
    }
}

fn pass_on(events: &SyncSender<io::Result<Event>>, is_closed: &AtomicBool) {
    while !is_closed.load(Ordering::SeqCst) {
        let event = match poll(PATIENCE) {
            Ok(false) => continue,
            Ok(true) => read(),
            Err(error) => Err(error),
        };
        let is_over = event.is_err();
        if events.send(event).is_err() || is_over {
            break;
        }
    }
}
