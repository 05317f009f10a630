//! Three brokers, started by `tests/servers/kafka`, and their faults.

use std::sync::{Mutex, MutexGuard};

use quipu_testkit::{Missing, Script};

/// The number of a broker, from 1; it is also the broker's node id.
pub(crate) type Number = usize;

/// Brokers that run until this value is dropped or this process ends.
pub(crate) struct Brokers {
    addresses: Vec<String>,
    script: Mutex<Script>,
}

impl Brokers {
    pub(crate) fn start() -> Result<Self, Missing> {
        let mut script = Script::run(&["--brokers", "3"])?;
        let addresses = script.ready().split(',').map(str::to_owned).collect();
        Ok(Self { addresses, script: Mutex::new(script) })
    }

    /// The addresses of all brokers.
    pub(crate) fn bootstrap(&self) -> String {
        self.addresses.join(",")
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = Number> + use<> {
        1..=self.addresses.len()
    }

    /// Kills a broker with SIGKILL.
    pub(crate) fn kill(&self, broker: Number) {
        assert_eq!(self.script().answer(&format!("kill {broker}")), "killed");
    }

    /// Shuts a broker down cleanly: it hands over its leaderships first.
    pub(crate) fn stop(&self, broker: Number) {
        assert_eq!(self.script().answer(&format!("stop {broker}")), "stopped");
    }

    /// Starts a broker that was killed or stopped.
    pub(crate) fn restart(&self, broker: Number) {
        let ready = format!("ready {}", self.addresses[broker - 1]);
        assert_eq!(self.script().answer(&format!("start {broker}")), ready);
    }

    /// Stops a broker's process with SIGSTOP: the kernel accepts connections, and nobody answers.
    pub(crate) fn hang(&self, broker: Number) {
        assert_eq!(self.script().answer(&format!("hang {broker}")), "hung");
    }

    /// Resumes a broker that hangs.
    pub(crate) fn resume(&self, broker: Number) {
        assert_eq!(self.script().answer(&format!("resume {broker}")), "resumed");
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no panic")
    }
}
