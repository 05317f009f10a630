//! A child process and its resource usage, measured from outside in the same way for every program.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Longer than the slowest wait.
const DEADLINE: Duration = Duration::from_secs(900);

/// A running child process; dropping it kills the process.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<(Instant, String)>,
    pub(crate) began: Instant,
}

/// The resources that a process has used since its start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Seconds of CPU of all threads.
    pub(crate) cpu: f64,
    /// The peak resident memory, in MB.
    pub(crate) peak_rss: f64,
}

impl Process {
    /// Starts the command; its output can be waited for, line by line.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't start {command:?}"))?;
        // Lines that nobody waits for are dropped when the queue is full, so that the process never blocks.
        let (sender, lines) = sync_channel(10_000);
        let read = |pipe: Box<dyn Read + Send>| {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    _ = sender.try_send((Instant::now(), line));
                }
            })
        };
        read(Box::new(child.stdout.take().context("no standard output")?));
        read(Box::new(child.stderr.take().context("no standard error")?));
        Ok(Self { input: child.stdin.take(), child, lines, began })
    }

    /// Waits for a line that contains the text; returns when the line came.
    pub(crate) fn until(&self, text: &str) -> Result<Instant> {
        Ok(self.line(text)?.0)
    }

    /// Waits for a line that contains the text; returns when the line came, and the line.
    pub(crate) fn line(&self, text: &str) -> Result<(Instant, String)> {
        let mut output = Vec::new();
        loop {
            let Ok((at, line)) = self.lines.recv_timeout(DEADLINE) else {
                bail!(
                    "the process ended or printed nothing for {DEADLINE:?}, before it printed {text:?}:\n{}",
                    output.join("\n")
                );
            };
            if line.contains(text) {
                return Ok((at, line));
            }
            output.push(line);
        }
    }

    /// Writes a line to its standard input.
    pub(crate) fn write_line(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("the process's standard input is closed")?;
        writeln!(input, "{line}").context("the process does not read its standard input")
    }

    /// The resources used until now.
    pub(crate) fn usage(&self) -> Result<Usage> {
        /// Linux reports CPU time in hundredths of a second, whatever the kernel's own clock is.
        const TICKS: f64 = 100.0;
        let proc = format!("/proc/{}", self.child.id());
        let stat = fs::read_to_string(format!("{proc}/stat")).context("the process is gone")?;
        let (_, after_name) = stat.rsplit_once(')').context("/proc/…/stat is not as expected")?;
        let ticks: f64 =
            after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        let status = fs::read_to_string(format!("{proc}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let peak: f64 = peak.context("/proc/…/status is not as expected")?.parse()?;
        Ok(Usage { cpu: ticks / TICKS, peak_rss: peak / 1024.0 })
    }

    /// Closes the process's standard input, sends SIGTERM, and waits for its end.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.input.take());
        let id = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-s", "TERM", &id]).status()?.success(), "can't end process {id}");
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
