//! Real servers, each started by its script `tests/servers/NAME`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::missing::Missing;

/// The script's exit status when the server is not available on this machine.
const UNAVAILABLE: i32 = 3;

/// A server that runs until this value is dropped or this process ends.
pub struct Server {
    addresses: Vec<String>,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    script: Child,
}

impl Server {
    pub fn start(name: &str, arguments: &[&str]) -> Result<Self, Missing> {
        let path = format!("{}/../tests/servers/{name}", env!("CARGO_MANIFEST_DIR"));
        let checked = Command::new(&path).arg("check").output().unwrap();
        if !checked.status.success() {
            let why = String::from_utf8_lossy(&checked.stderr).trim().to_owned();
            assert_eq!(checked.status.code(), Some(UNAVAILABLE), "{why}");
            return Err(Missing(why));
        }
        let mut script = Command::new(&path)
            .arg("run")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (commands, answers) = (script.stdin.take(), BufReader::new(script.stdout.take().unwrap()));
        let mut server = Self { addresses: Vec::new(), commands, answers, script };
        server.addresses = server.ready();
        Ok(server)
    }

    /// The server's address, which stays the same after a restart.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// The server's second address, if it has two.
    pub fn second_address(&self) -> &str {
        &self.addresses[1]
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        assert_eq!(self.command("kill"), "killed");
    }

    /// Starts a killed server again with its data.
    pub fn restart(&mut self) {
        writeln!(self.commands.as_mut().unwrap(), "start").unwrap();
        assert_eq!(self.ready(), self.addresses);
    }

    /// Stops the server's process with SIGSTOP; the kernel still accepts connections for it.
    pub fn hang(&mut self) {
        assert_eq!(self.command("hang"), "hung");
    }

    pub fn resume(&mut self) {
        assert_eq!(self.command("resume"), "resumed");
    }

    fn command(&mut self, command: &str) -> String {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        self.answer()
    }

    fn ready(&mut self) -> Vec<String> {
        let answer = self.answer();
        let Some(addresses) = answer.strip_prefix("ready ") else {
            panic!("the server did not start: {answer:?}; see standard error");
        };
        addresses.split(' ').map(str::to_owned).collect()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.commands.take();
        _ = self.script.wait();
    }
}
