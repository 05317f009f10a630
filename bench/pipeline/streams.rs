//! The original topology on Kafka Streams, from `bench/kafka-streams`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use quipu_testkit::Missing;

use crate::contender::{Contender, Site};
use crate::guarantee::Guarantee;
use crate::load::Load;
use crate::measure::Measured;
use crate::process::{Process, Usage};
use crate::totals::Totals;

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/kafka-streams");

/// The JVM's settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jvm {
    /// The heap in MB.
    pub(crate) heap: u32,
    /// The flag of the garbage collector.
    pub(crate) collector: &'static str,
    /// The number of stream threads.
    pub(crate) threads: u32,
}

impl Jvm {
    /// The settings that `heaps` found best on the machine of RESULTS.md.
    pub(crate) const BEST: Self = Self { heap: 512, collector: "-XX:+UseParallelGC", threads: 1 };
}

/// The compiled program, and a topic with which the JVM warms up.
pub(crate) struct Streams {
    built: PathBuf,
    pub(crate) jvm: Jvm,
    pub(crate) warm_up: Load,
}

/// Compiles the program and downloads Kafka Streams with Maven, unless that is done already; returns the folder.
pub(crate) fn build() -> Result<PathBuf, Missing> {
    let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("kafka-streams");
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "--file", PROJECT]).arg(format!("-Doutput={}", built.display()));
    match maven.args(["compile", "dependency:copy-dependencies"]).output() {
        Ok(output) if output.status.success() => Ok(built),
        Ok(output) => Err(Missing(format!("Kafka Streams: {}", String::from_utf8_lossy(&output.stdout).trim()))),
        Err(error) => Err(Missing(format!("Kafka Streams needs Maven and a JDK (mvn: {error})"))),
    }
}

impl Streams {
    pub(crate) fn new(built: PathBuf, jvm: Jvm, warm_up: Load) -> Self {
        Self { built, jvm, warm_up }
    }

    fn jvm(&self, site: &Site<'_>) -> Result<Process> {
        let Jvm { heap, collector, threads } = self.jvm;
        let built = self.built.display();
        let guarantee = match site.guarantee {
            Guarantee::AtLeastOnce => "at_least_once",
            Guarantee::ExactlyOnce => "exactly_once_v2",
        };
        let mut command = Command::new("java");
        command.arg(format!("-Xmx{heap}m")).arg(collector).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
        command.args(["-cp", &format!("{built}/classes:{built}/libraries/*"), "quipu.bench.Peer"]);
        Process::start(command.args([site.cluster.bootstrap(), guarantee, &threads.to_string()]))
    }

    /// Reads a topic to its totals; returns the time and the resource usage at the beginning and at the end.
    fn read_once(jvm: &mut Process, site: &Site<'_>, load: &Load) -> Result<[(Instant, Usage); 2]> {
        site.create_topic("totals");
        let mut totals = Totals::read(site.cluster, &site.output())?;
        let began = start(jvm, site, &load.topic)?;
        let before = jvm.usage()?;
        let ended = totals.until(&load.totals)?;
        let after = jvm.usage()?;
        stop(jvm)?;
        Ok([(began, before), (ended, after)])
    }
}

impl Contender for Streams {
    fn name(&self) -> &'static str {
        "Kafka Streams"
    }

    fn read(&self, site: &Site<'_>, load: &Load) -> Result<(Measured, HashMap<String, u64>)> {
        let mut jvm = self.jvm(site)?;
        let warm_up = Site { name: format!("{}-warm-up", site.name), ..*site };
        Self::read_once(&mut jvm, &warm_up, &self.warm_up)?;
        let [(began, before), (ended, after)] = Self::read_once(&mut jvm, site, load)?;
        let usage = Usage { cpu: after.cpu - before.cpu, ..after };
        let mut totals = Totals::read(site.cluster, &site.output())?;
        totals.until(&load.totals)?;
        Ok((Measured::new(load.counters, ended - began, usage)?, totals.of(&load.totals)))
    }

    fn first_total(&self, site: &Site<'_>, load: &Load) -> Result<Duration> {
        site.create_topic("totals");
        let mut totals = Totals::read(site.cluster, &site.output())?;
        totals.catch_up()?;
        let mut jvm = self.jvm(site)?;
        start(&mut jvm, site, &load.topic)?;
        let took = totals.next()? - jvm.began;
        stop(&mut jvm)?;
        Ok(took)
    }

    fn restart(&self, site: &Site<'_>, load: &Load) -> Result<Duration> {
        let mut totals = Totals::read(site.cluster, &site.output())?;
        totals.catch_up()?;
        let mut jvm = self.jvm(site)?;
        start(&mut jvm, site, &load.topic)?;
        let took = totals.until(&load.totals)? - jvm.began;
        stop(&mut jvm)?;
        Ok(took)
    }
}

/// Starts the application in the JVM, and returns when its tasks run.
fn start(jvm: &mut Process, site: &Site<'_>, input: &str) -> Result<Instant> {
    let (name, output, folder) = (&site.name, site.output(), site.folder.display());
    ensure!(!folder.to_string().contains(' '), "the folder {folder} has a space in its name: set TMPDIR");
    jvm.write_line(&format!("start {name} {input} {output} {folder}"))?;
    jvm.until("running").context("Kafka Streams does not start")
}

/// Closes the application that runs in the JVM. It leaves its group, so that the next start need not wait.
fn stop(jvm: &mut Process) -> Result<()> {
    jvm.write_line("stop")?;
    jvm.until("stopped").context("Kafka Streams does not stop")?;
    Ok(())
}
