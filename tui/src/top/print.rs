use std::io::{self, ErrorKind, Write as _};

use anyhow::{Context as _, Result};

/// Prints a text. Returns false if the reader closed the pipe.
pub(crate) fn print(text: &str) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("can't write to standard output"),
    }
}
