//! Runs the experiment's programs as child processes.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::process::{ChildStdin, Command as Process, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use quipu_tui::Stderr;

use crate::child::DemoChild;
use crate::child::parent::{Command, Status};
use crate::event::Event;

/// How long a child may take to exit after its standard input was closed.
const GRACE: Duration = Duration::from_secs(2);

/// A child process. Dropping it stops the process.
pub(crate) struct Child {
    instance: String,
    process: std::process::Child,
    /// The child's standard input. The child exits when it is closed.
    stdin: Option<ChildStdin>,
    /// Disconnected when the child closed its standard output.
    stdout: Receiver<()>,
    /// The thread that copies the child's standard error to this process's; `None` after it was joined.
    stderr: Option<JoinHandle<()>>,
    status: Option<ExitStatus>,
}

impl Child {
    /// Starts this program again as one of the experiment's programs. Each status that it sends becomes an event.
    pub(crate) fn start(child: &DemoChild, events: &SyncSender<Event>) -> Result<Self> {
        let instance = child.connection().instance.clone();
        let program = std::env::current_exe().context("the path of this program can't be found")?;
        let mut process = Process::new(program);
        process.arg("demo-child").args(child.to_args());
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // With a process group of its own, the child does not receive Ctrl-C; the parent shuts it down cleanly.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut process, 0);
        let mut process = process.spawn().with_context(|| format!("{instance} could not be started"))?;
        let stdin = process.stdin.take();
        let (open, stdout) = sync_channel(0);
        if let Some(stdout) = process.stdout.take() {
            let (instance, events) = (instance.clone(), events.clone());
            thread::spawn(move || {
                let _open: SyncSender<()> = open;
                let lines = BufReader::new(stdout).lines().map_while(Result::ok);
                for status in lines.filter_map(|line| Status::parse(&line)) {
                    // Sending fails when the experiment is over; then the status is not needed.
                    let _ = events.send(Event::Status { instance: instance.clone(), status });
                }
            });
        }
        // The child's log lines must not be written over the dashboard.
        let stderr = process.stderr.take().map(|stderr| thread::spawn(move || copy_lines(stderr, Stderr)));
        Ok(Self { instance, process, stdin, stdout, stderr, status: None })
    }

    /// Sends a command to the child. An error is ignored: `has_ended` reports a child that has exited.
    pub(crate) fn send(&mut self, command: Command) {
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{}", command.to_line()).and_then(|()| stdin.flush());
        }
    }

    /// Waits until the child closes its standard output, which happens when it exits. Returns false after the timeout.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        self.stdout.recv_timeout(timeout) == Err(RecvTimeoutError::Disconnected)
    }

    /// Returns whether the child has exited with success.
    ///
    /// # Errors
    /// The child failed. Its standard error has the reason; all of it is copied to this process's standard error before
    /// the child is dropped.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        if self.status.is_none() {
            self.status = self.process.try_wait().with_context(|| format!("{} can't be waited for", self.instance))?;
        }
        match self.status {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => bail!("{} ended with {status}", self.instance),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if !self.wait(GRACE) {
            // Killing fails if the child has just exited; both cases are waited for below.
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
        if let Some(stderr) = self.stderr.take() {
            let _ = stderr.join();
        }
    }
}

/// Copies whole lines with one write each, so that the lines of two children don't mix. Lines need not be UTF-8.
fn copy_lines(from: impl Read, mut to: impl Write) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // An error is ignored: a child would block if its standard error were no longer read.
        let _ = to.write_all(&line);
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Keeps each write separately.
    struct Writes<'a>(&'a mut Vec<String>);

    impl Write for Writes<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_write_even_if_it_arrives_in_pieces() {
        let mut writes = Vec::new();
        let pieces = "error: no".as_bytes().chain(" broker\n  becau".as_bytes()).chain("se\nlast".as_bytes());
        copy_lines(pieces, Writes(&mut writes));
        assert_eq!(writes, ["error: no broker\n", "  because\n", "last"]);
    }
}
