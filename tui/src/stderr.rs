use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The most bytes that are held. The first lines are kept, because they usually have the cause.
const LIMIT: usize = 64 * 1024;

/// Whether the dashboard has the terminal, of which a process has only one.
pub(crate) static IS_OURS: AtomicBool = AtomicBool::new(false);

static HELD: Mutex<Held> = Mutex::new(Held { bytes: Vec::new(), dropped: 0 });

/// Standard error for code that may run while the dashboard has the terminal: text is held until the terminal is restored,
/// so that it is not written over the dashboard. If standard error is no terminal, text is written at once.
///
/// At most 64 KiB are held. More is dropped, and a line reports how many bytes were dropped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if is_ours() && io::stderr().is_terminal() {
            held.push(bytes);
            return Ok(bytes.len());
        }
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Returns whether the dashboard still has the terminal: a panic in another thread restores it.
pub(crate) fn is_ours() -> bool {
    IS_OURS.load(Ordering::SeqCst)
}

/// Restores the terminal with `restore`, and then writes the held text.
pub(crate) fn release(restore: impl FnOnce()) {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    restore();
    // If standard error is closed, there is no place to report that.
    let _ = io::stderr().write_all(&held.take());
}

struct Held {
    bytes: Vec<u8>,
    dropped: usize,
}

impl Held {
    fn push(&mut self, bytes: &[u8]) {
        // Only whole writes are held. After the first write that does not fit, all writes are dropped.
        if self.dropped > 0 || self.bytes.len() + bytes.len() > LIMIT {
            self.dropped += bytes.len();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        if self.dropped > 0 {
            bytes.extend_from_slice(format!("({} more bytes were dropped)\n", self.dropped).as_bytes());
            self.dropped = 0;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_text_is_bounded_and_dropped_bytes_are_reported() {
        let mut held = Held { bytes: Vec::new(), dropped: 0 };
        held.push(b"first\n");
        held.push(&vec![b'x'; LIMIT]);
        held.push(b"late\n");
        assert_eq!(
            String::from_utf8(held.take()).unwrap(),
            format!("first\n({} more bytes were dropped)\n", LIMIT + 5)
        );
        assert_eq!(held.take(), b"");
    }
}
