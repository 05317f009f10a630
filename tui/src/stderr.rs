use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// So much is held back at most; the first of it tells most.
const LIMIT: usize = 64 * 1024;

/// Whether the terminal is ours: there is one for the whole process.
pub(crate) static IS_OURS: AtomicBool = AtomicBool::new(false);

static HELD: Mutex<Held> = Mutex::new(Held { bytes: Vec::new(), left_out: 0 });

/// Standard error for whoever writes while the dashboard may have the terminal: what would be written across it waits
/// until the terminal was given back. Where standard error is no terminal, nothing waits.
///
/// At most 64 KiB wait; what comes then is left out, and how much that was is said.
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

/// Whether the terminal is still ours: a panic in another thread gives it back.
pub(crate) fn is_ours() -> bool {
    IS_OURS.load(Ordering::SeqCst)
}

/// Gives the terminal back, and then writes what waited for that.
pub(crate) fn release(give_back: impl FnOnce()) {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    give_back();
    // Nobody can be told that standard error is gone.
    let _ = io::stderr().write_all(&held.take());
}

struct Held {
    bytes: Vec<u8>,
    left_out: usize,
}

impl Held {
    fn push(&mut self, bytes: &[u8]) {
        // A line is whole or it is not there; after the first that found no room none comes.
        if self.left_out > 0 || self.bytes.len() + bytes.len() > LIMIT {
            self.left_out += bytes.len();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        if self.left_out > 0 {
            bytes.extend_from_slice(format!("({} bytes more were left out)\n", self.left_out).as_bytes());
            self.left_out = 0;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_what_is_left_out_is_said() {
        let mut held = Held { bytes: Vec::new(), left_out: 0 };
        held.push(b"first\n");
        held.push(&vec![b'x'; LIMIT]);
        held.push(b"late\n");
        assert_eq!(
            String::from_utf8(held.take()).unwrap(),
            format!("first\n({} bytes more were left out)\n", LIMIT + 5)
        );
        assert_eq!(held.take(), b"");
    }
}
