//! The experiment's programs as processes.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command as Process, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
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
        if let Some(mut stderr) = process.stderr.take() {
            // What it logs must not be written across the dashboard.
            thread::spawn(move || io::copy(&mut stderr, &mut Stderr));
        }
        Ok(Self { instance, process, stdin, stdout, status: None })
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
    /// It ended otherwise. Why is on standard error, which it shares with us.
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
    }
}
