use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::visible::push_visible;

/// How often there is a line; what takes less than that has none.
const INTERVAL: Duration = Duration::from_secs(2);

/// Tells on standard error how far a long log was read, in whole lines, so that it reads well in a file, too.
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
        // If nobody reads it, it is not missed.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self { shown: Instant::now() }
    }
}
