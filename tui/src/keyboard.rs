use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{Event, poll, read};

/// How long a key is waited for before the thread looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long the thread is waited for when it is not wanted any more.
const GRACE: Duration = Duration::from_millis(300);
/// So many keys wait at most.
const KEYS: usize = 64;

/// What is typed, read on a thread of its own: when the terminal is gone, reading from it never returns.
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

    /// The next event; none if there is none within this time.
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
        // What is typed from now on is for somebody else.
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
