//! The experiment's programs as processes.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::process::{ChildStdin, Command as Process, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use quipu_tui::Stderr;

use crate::child::DemoChild;
use crate::child::parent::{Command, Word};
use crate::happening::Happening;

/// How long a child that lost its parent's hand may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// A child process. Dropping it ends it.
pub(crate) struct Child {
    instance: String,
    process: std::process::Child,
    /// When this is closed, the child knows that it is alone, and ends.
    stdin: Option<ChildStdin>,
    /// Disconnected when the child closed its standard output.
    stdout: Receiver<()>,
    /// Copies its standard error to ours until it is closed; taken when it is waited for.
    stderr: Option<JoinHandle<()>>,
    status: Option<ExitStatus>,
}

impl Child {
    /// Starts this same program as one of the experiment's. What it says comes as a happening.
    pub(crate) fn start(child: &DemoChild, happenings: &SyncSender<Happening>) -> Result<Self> {
        let instance = child.connection().instance.clone();
        let program = std::env::current_exe().context("this program can't find itself")?;
        let mut process = Process::new(program);
        process.arg("demo-child").args(child.to_args());
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is for the parent, who ends its children in order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut process, 0);
        let mut process = process.spawn().with_context(|| format!("{instance} could not be started"))?;
        let stdin = process.stdin.take();
        let (open, stdout) = sync_channel(0);
        if let Some(stdout) = process.stdout.take() {
            let (instance, happenings) = (instance.clone(), happenings.clone());
            thread::spawn(move || {
                let _open: SyncSender<()> = open;
                for word in BufReader::new(stdout).lines().map_while(Result::ok).filter_map(|line| Word::parse(&line)) {
                    // Nobody listens any more when the experiment is over.
                    let _ = happenings.send(Happening::Said { instance: instance.clone(), word });
                }
            });
        }
        // What it logs must not be written across the dashboard.
        let stderr = process.stderr.take().map(|stderr| thread::spawn(move || copy_lines(stderr, Stderr)));
        Ok(Self { instance, process, stdin, stdout, stderr, status: None })
    }

    /// Tells the child something. That it is gone shows elsewhere.
    pub(crate) fn tell(&mut self, command: Command) {
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{}", command.to_line()).and_then(|()| stdin.flush());
        }
    }

    /// Waits until it says no more, which it does when it ends. Whether it did so in time.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        self.stdout.recv_timeout(timeout) == Err(RecvTimeoutError::Disconnected)
    }

    /// Whether it has ended, as it should.
    ///
    /// # Errors
    /// It ended otherwise. Why it says on its standard error, all of which stands on ours when this is dropped.
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
            // It may have ended at this moment; either way it is waited for below.
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
        if let Some(stderr) = self.stderr.take() {
            let _ = stderr.join();
        }
    }
}

/// Copies whole lines, each at once, so that those of two children don't mix. Whatever is no text is a line, too.
fn copy_lines(from: impl Read, mut to: impl Write) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // A child must not stand still because nobody reads what it says.
        let _ = to.write_all(&line);
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// What is written at once.
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
    fn a_line_is_written_at_once_however_it_comes() {
        let mut writes = Vec::new();
        let pieces = "error: no".as_bytes().chain(" broker\n  becau".as_bytes()).chain("se\nlast".as_bytes());
        copy_lines(pieces, Writes(&mut writes));
        assert_eq!(writes, ["error: no broker\n", "  because\n", "last"]);
    }
}
