//! A real Apache Kafka broker, started by `tests/servers/kafka`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use crate::missing::Missing;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/servers/kafka");

/// The script's exit status when Kafka is not available on this machine.
const UNAVAILABLE: i32 = 3;

/// A broker that runs until this value is dropped or this process ends.
pub struct Kafka {
    bootstrap: String,
    script: Mutex<Script>,
}

/// A broker that also has an address with TLS and SASL/SCRAM.
pub struct SecureKafka {
    kafka: Kafka,
    address: String,
    ca: String,
}

/// The script that keeps the brokers running; it ends when its standard input is closed.
pub struct Script {
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    child: Child,
}

impl Kafka {
    /// The broker that all tests of this binary share; each test has its own topics. The first caller waits for its
    /// start.
    pub fn shared() -> Result<&'static Self, Missing> {
        static SHARED: OnceLock<Result<Kafka, Missing>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    /// Starts a broker for one test, which may kill it.
    pub fn start() -> Result<Self, Missing> {
        let mut script = Script::run(&[])?;
        let bootstrap = script.ready();
        Ok(Self { bootstrap, script: Mutex::new(script) })
    }

    /// Starts a broker for one test that also has an address with TLS and SASL/SCRAM.
    pub fn start_secure() -> Result<SecureKafka, Missing> {
        let mut script = Script::run(&["--secure"])?;
        let ready = script.ready();
        let [bootstrap, address, ca] = ready.split(' ').collect::<Vec<_>>()[..] else { panic!("{ready}") };
        let (bootstrap, address, ca) = (bootstrap.to_owned(), address.to_owned(), ca.to_owned());
        Ok(SecureKafka { kafka: Self { bootstrap, script: Mutex::new(script) }, address, ca })
    }

    /// The broker's address, which stays the same after a restart.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Kills the broker with SIGKILL.
    pub fn kill(&self) {
        assert_eq!(self.script.lock().unwrap().answer("kill"), "killed");
    }

    /// Starts a killed broker again with its data.
    pub fn restart(&self) {
        assert_eq!(self.script.lock().unwrap().answer("start"), format!("ready {}", self.bootstrap));
    }
}

impl SecureKafka {
    /// The password of the users `quipu` and `checkout`.
    pub const PASSWORD: &str = "secret";

    /// The address without TLS.
    pub fn plain(&self) -> &str {
        self.kafka.bootstrap()
    }

    /// The address with TLS and SASL/SCRAM.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The file with the certificate of the broker's CA.
    pub fn ca(&self) -> &str {
        &self.ca
    }
}

impl Script {
    /// Starts the script's command `run` with additional arguments.
    pub fn run(arguments: &[&str]) -> Result<Self, Missing> {
        let fetched = Command::new(SCRIPT).arg("fetch").output().unwrap();
        if !fetched.status.success() {
            let why = String::from_utf8_lossy(&fetched.stderr).trim().to_owned();
            assert_eq!(fetched.status.code(), Some(UNAVAILABLE), "{why}");
            return Err(Missing(why));
        }
        let mut command = Command::new(SCRIPT);
        command.arg("run").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Ok(Self { commands: child.stdin.take(), answers: BufReader::new(child.stdout.take().unwrap()), child })
    }

    /// Sends a command to the script and returns its answer.
    pub fn answer(&mut self, command: &str) -> String {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        self.line()
    }

    /// Waits until the brokers have started; returns their addresses.
    pub fn ready(&mut self) -> String {
        let answer = self.line();
        let Some(addresses) = answer.strip_prefix("ready ") else {
            panic!("Kafka did not start: {answer:?}; see standard error");
        };
        addresses.to_owned()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.commands.take();
        _ = self.child.wait();
    }
}
