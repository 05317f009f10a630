//! `quipu aggregate` with RocksDB as its store.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::contender::{Contender, Site};
use crate::load::Load;
use crate::measure::Measured;
use crate::process::Process;
use crate::totals::Totals;

/// Quipu as a contender.
pub(crate) struct Quipu;

impl Quipu {
    /// Starts the aggregator; `settings` are additional keys of its configuration.
    pub(crate) fn start(site: &Site<'_>, input: &str, settings: &[(&str, &str)]) -> Result<Process> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUIPU_")) {
            command.env_remove(name);
        }
        command.args(["aggregate", "--http", "127.0.0.1:0", "--brokers", site.cluster.bootstrap()]);
        let own = [
            ("application_id", &*site.name),
            ("topics.metrics", input),
            ("topics.aggregates", &site.output()),
            ("topics.state", &site.topic("state")),
            ("topics.dead_letters", &site.topic("dead-letters")),
            ("state.dir", &site.folder.to_string_lossy()),
            ("processing_guarantee", site.guarantee.name()),
        ];
        for (key, value) in own.iter().chain(settings) {
            command.args(["--set", &format!("{key}={value}")]);
        }
        Process::start(&mut command)
    }

    /// Creates the topics, so that they can be read before the aggregator starts. It would otherwise create them
    /// itself.
    pub(crate) fn create_topics(site: &Site<'_>) {
        for topic in ["totals", "state", "dead-letters"] {
            site.create_topic(topic);
        }
    }
}

impl Contender for Quipu {
    fn name(&self) -> &'static str {
        "Quipu"
    }

    fn read(&self, site: &Site<'_>, load: &Load) -> Result<(Measured, HashMap<String, u64>)> {
        Self::create_topics(site);
        let mut totals = Totals::read(site.cluster, &site.output())?;
        let process = Self::start(site, &load.topic, &[])?;
        let began = process.until("reading to the log's end")?;
        let ended = totals.until(&load.totals)?;
        let measured = Measured::new(load.counters, ended - began, process.usage()?)?;
        process.stop()?;
        Ok((measured, totals.of(&load.totals)))
    }

    fn first_total(&self, site: &Site<'_>, load: &Load) -> Result<Duration> {
        Self::create_topics(site);
        let mut totals = Totals::read(site.cluster, &site.output())?;
        totals.catch_up()?;
        let process = Self::start(site, &load.topic, &[])?;
        let took = totals.next()? - process.began;
        process.stop()?;
        Ok(took)
    }

    fn restart(&self, site: &Site<'_>, load: &Load) -> Result<Duration> {
        let mut totals = Totals::read(site.cluster, &site.output())?;
        totals.catch_up()?;
        let process = Self::start(site, &load.topic, &[])?;
        let took = totals.until(&load.totals)? - process.began;
        process.stop()?;
        Ok(took)
    }
}
