//! Stops single threads of a process, so that calls which wait for them hang as they would after a client's defect.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::missing::Missing;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/freeze.py");
/// The name of the main thread of each librdkafka client. Some calls of the client wait for it without a timeout.
const CLIENT: &str = "rdk:main";

/// Stopped threads; they run again when this is dropped.
pub struct Frozen(Child);

impl Frozen {
    /// Stops the main thread of the newest client of this process.
    pub fn newest_client(process: u32) -> Result<Self, Missing> {
        Self::freeze(process, "newest")
    }

    /// Stops the main threads of all clients of this process.
    pub fn all_clients(process: u32) -> Result<Self, Missing> {
        Self::freeze(process, "all")
    }

    fn freeze(process: u32, which: &str) -> Result<Self, Missing> {
        let mut command = Command::new("python3");
        command.args([SCRIPT, &process.to_string(), CLIENT, which]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| Missing(format!("no python3: {error}")))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            assert_eq!(child.wait().unwrap().code(), Some(3), "see standard error");
            return Err(Missing("this user may not trace processes (ptrace)".to_owned()));
        }
        assert_ne!(line.trim(), "frozen 0", "there is no such thread");
        Ok(Self(child))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        _ = self.0.wait();
    }
}
