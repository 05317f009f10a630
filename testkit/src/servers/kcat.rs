//! `kcat`, a Kafka client that shares no code with Quipu.

use std::process::Command;

use crate::missing::Missing;
use crate::process::Process;

/// An installed `kcat`, under its current name or its former one.
pub struct Kcat {
    program: &'static str,
}

impl Kcat {
    pub fn find() -> Result<Self, Missing> {
        ["kcat", "kafkacat"]
            .into_iter()
            .find(|program| Command::new(program).arg("-V").output().is_ok())
            .map(|program| Self { program })
            .ok_or_else(|| Missing("no kcat: install it (Debian: apt-get install kcat)".to_owned()))
    }

    /// Runs `kcat`, expects exit code 0, and returns what it printed.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(self.program);
        command.args(arguments);
        let finished = Process::spawn(command, input).finish();
        assert!(finished.status.success(), "{finished:?}");
        finished.stdout
    }
}
