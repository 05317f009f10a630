//! Child processes that end with the test, and what they say.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use crate::eventually;

/// This workspace's `quipu`. What it starts is free of the caller's `QUIPU_…` variables.
#[derive(Debug, Clone, Copy)]
pub struct Quipu {
    program: &'static str,
}

impl Quipu {
    /// The binary at this path, which is `env!("CARGO_BIN_EXE_quipu")` in a test of its package.
    pub const fn new(program: &'static str) -> Self {
        Self { program }
    }

    /// A command without arguments.
    pub fn command(self) -> Command {
        without_variables(Command::new(self.program))
    }

    /// Starts it with these arguments.
    pub fn start(self, arguments: &[&str]) -> Process {
        let mut command = self.command();
        command.args(arguments);
        Process::spawn(command, "")
    }

    /// The same where no file can grow beyond so many blocks of 512 bytes, which is to a program as if the disk were full.
    pub fn start_on_a_small_disk(self, blocks: u32, arguments: &[&str]) -> Process {
        let mut shell = without_variables(Command::new("sh"));
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script, self.program]).args(arguments);
        Process::spawn(shell, "")
    }
}

fn without_variables(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("QUIPU_") {
            command.env_remove(name);
        }
    }
    command
}

/// A running child; dropping it kills it.
pub struct Process {
    child: Mutex<Child>,
    stdout: Captured,
    stderr: Captured,
}

/// A child that ended, and all that it said.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    /// Starts the command and gives it `input`, then the end of input.
    #[track_caller]
    pub fn spawn(mut command: Command, input: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Captured::new(child.stdout.take().unwrap());
        let stderr = Captured::new(child.stderr.take().unwrap());
        // A child that doesn't read may be gone already; its exit status says the rest.
        _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Self { child: Mutex::new(child), stdout, stderr }
    }

    /// What it said on standard error so far.
    pub fn stderr_so_far(&self) -> String {
        self.stderr.so_far()
    }

    pub fn has_ended(&self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    pub fn id(&self) -> u32 {
        self.child().id()
    }

    /// Sends a signal by its name without `SIG`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let id = self.child().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let status = eventually("the process to end", || self.child().try_wait().unwrap());
        Finished { status, stdout: self.stdout.join(), stderr: self.stderr.join() }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child();
        _ = child.kill();
        _ = child.wait();
    }
}

/// What has come out of a pipe so far; a thread reads it, so that the writer never waits.
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn new(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                sink.lock().unwrap().extend_from_slice(&chunk[..length]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn join(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}
