use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::visible::push_visible;

/// The time between two progress lines; a shorter operation prints none.
const INTERVAL: Duration = Duration::from_secs(2);

/// Prints on standard error how far a long log was read. It prints whole lines, so that the output is readable in a file.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Instant,
}

impl Progress {
    pub(crate) fn show(&mut self, read: &quipu_verify::Progress<'_>) {
        if self.shown.elapsed() < INTERVAL {
            return;
        }
        self.shown = Instant::now();
        let mut line = String::new();
        push_visible(
            &mut line,
            &format!("reading {}: at offset {} of {}", read.topic, read.position, read.end),
            |_| false,
        );
        line.push('\n');
        // A write error is ignored: progress is not part of the result.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self { shown: Instant::now() }
    }
}
