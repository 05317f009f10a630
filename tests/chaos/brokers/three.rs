//! Three brokers, by way of `tests/servers/kafka`, and faults of one of them.

use std::sync::{Mutex, MutexGuard};

use quipu_testkit::{Missing, Script};

/// The number of a broker, from 1; its node id too.
pub(crate) type Number = usize;

/// Brokers that live as long as this value, and no longer than this process.
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

    /// The addresses of all.
    pub(crate) fn bootstrap(&self) -> String {
        self.addresses.join(",")
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = Number> + use<> {
        1..=self.addresses.len()
    }

    /// Ends a broker as a crash would.
    pub(crate) fn kill(&self, broker: Number) {
        assert_eq!(self.script().answer(&format!("kill {broker}")), "killed");
    }

    /// Has a broker hand over its leaderships and end.
    pub(crate) fn stop(&self, broker: Number) {
        assert_eq!(self.script().answer(&format!("stop {broker}")), "stopped");
    }

    /// Starts a broker again that was killed or stopped.
    pub(crate) fn restart(&self, broker: Number) {
        let ready = format!("ready {}", self.addresses[broker - 1]);
        assert_eq!(self.script().answer(&format!("start {broker}")), ready);
    }

    /// Stops a broker's process: it takes connections and answers nobody.
    pub(crate) fn hang(&self, broker: Number) {
        assert_eq!(self.script().answer(&format!("hang {broker}")), "hung");
    }

    /// Lets a broker that hangs go on.
    pub(crate) fn resume(&self, broker: Number) {
        assert_eq!(self.script().answer(&format!("resume {broker}")), "resumed");
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no panic")
    }
}
