//! Child processes that end with the test, and their output.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use crate::eventually;

/// The `quipu` binary of this workspace. Its processes don't inherit the caller's `QUIPU_…` variables.
#[derive(Debug, Clone, Copy)]
pub struct Quipu {
    program: &'static str,
}

impl Quipu {
    /// The binary at this path: `env!("CARGO_BIN_EXE_quipu")` in a test of its package.
    pub const fn new(program: &'static str) -> Self {
        Self { program }
    }

    /// Returns a command without arguments.
    pub fn command(self) -> Command {
        without_variables(Command::new(self.program))
    }

    /// Starts the binary with these arguments.
    pub fn start(self, arguments: &[&str]) -> Process {
        let mut command = self.command();
        command.args(arguments);
        Process::spawn(command, "")
    }

    /// Starts the binary so that it can't write a file larger than this number of blocks of 512 bytes; the program sees
    /// this as a full disk.
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

/// A running child process; dropping it kills the process.
pub struct Process {
    child: Mutex<Child>,
    stdout: Captured,
    stderr: Captured,
}

/// A child process that ended, with its output.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    /// Starts the command, writes `input` to its standard input, and closes that.
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
        // Writing fails if the child has ended without reading; the test then sees its exit status.
        _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Self { child: Mutex::new(child), stdout, stderr }
    }

    /// The standard output so far.
    pub fn stdout_so_far(&self) -> String {
        self.stdout.so_far()
    }

    /// The standard error so far.
    pub fn stderr_so_far(&self) -> String {
        self.stderr.so_far()
    }

    pub fn has_ended(&self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    pub fn id(&self) -> u32 {
        self.child().id()
    }

    /// Sends a signal, named without `SIG`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let id = self.child().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits until the process ends.
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

/// The output of a pipe so far. A thread reads the pipe, so that the writer never blocks.
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

/// The command with SIGHUP as the programs of a terminal have it, even if the tests were started with `nohup`.
pub fn with_hangup(command: &Command) -> Command {
    let mut with_hangup = Command::new("env");
    with_hangup.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => with_hangup.env(name, value),
            None => with_hangup.env_remove(name),
        };
    }
    with_hangup
}
