//! Child processes that end with the test, and what they say.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use super::eventually;

/// Starts this workspace's `quipu` with these arguments, free of the caller's `QUIPU_…` variables.
pub(crate) fn quipu(arguments: &[&str]) -> Process {
    Process::spawn(quipu_command(arguments), "")
}

/// The command for it.
pub(crate) fn quipu_command(arguments: &[&str]) -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_quipu")), arguments)
}

/// The same where no file can grow beyond so many blocks of 512 bytes, which is to a program as if the disk were full.
pub(crate) fn quipu_on_a_small_disk(blocks: u32, arguments: &[&str]) -> Process {
    let mut shell = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_quipu")]);
    Process::spawn(clean(shell, arguments), "")
}

fn clean(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("QUIPU_") {
            command.env_remove(name);
        }
    }
    command
}

/// A running child; dropping it kills it.
pub(crate) struct Process {
    child: Mutex<Child>,
    stdout: Captured,
    stderr: Captured,
}

/// A child that ended, and all that it said.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts the command and gives it `input`, then the end of input.
    #[track_caller]
    pub(crate) fn spawn(mut command: Command, input: &str) -> Self {
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
    pub(crate) fn stderr_so_far(&self) -> String {
        self.stderr.so_far()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child().id()
    }

    /// Sends a signal by its name without `SIG`.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
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
