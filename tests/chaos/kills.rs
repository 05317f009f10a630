//! The aggregator is killed with SIGKILL at random moments, and sometimes its broker, while reporters report. A reader
//! compares every total that it sees with the oracle at the offset that the total carries.

use std::path::Path;
use std::time::{Duration, Instant};

use quipu_testkit::fold::SERIES;
use quipu_testkit::{Kafka, Pipeline, Process, eventually, require};

use crate::QUIPU;
use crate::chance::{Random, pause};
use crate::check::{expected, went_back, wrong};
use crate::fleet::Fleet;
use crate::program::{COUNTED, Program};
use crate::reader::Reader;

const DEFAULT_CYCLES: u64 = 32;
/// The session timeout, a broker's restart, and a reserve for a busy machine.
const PATIENCE: Duration = Duration::from_secs(50);
/// The aggregator's `transaction.timeout.ms`.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs this number of cycles with exactly-once, and a quarter of it with at-least-once.
pub(crate) fn run_all(cycles: Option<u64>) {
    let Some(kafka) = require(Kafka::start()) else { return };
    let cycles = cycles.unwrap_or(DEFAULT_CYCLES);
    run(&kafka, "exactly_once", cycles);
    run(&kafka, "at_least_once", cycles / 4);
}

fn run(kafka: &Kafka, guarantee: &'static str, cycles: u64) {
    let began = Instant::now();
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let disk = tempfile::tempdir().expect("a folder");
    let mut site =
        Site { pipeline: &pipeline, disk: disk.path(), guarantee, running: None, fenced: 0, takeovers: Vec::new() };
    site.start("a");
    eventually("the topics", || {
        let topics = pipeline.cluster.topics();
        [&pipeline.metrics, &pipeline.aggregates].iter().all(|topic| topics.contains_key(*topic)).then_some(())
    });
    let fleet = Fleet::start(kafka.bootstrap(), &pipeline.metrics, Duration::from_millis(5));
    let program = Program::start(kafka.bootstrap(), &pipeline.metrics);
    let reader = Reader::start(&pipeline, |_| {});
    // The seed depends on the number of cycles, so that runs with different numbers also differ in their timing.
    let mut random = Random::new(cycles ^ 0x5eed);
    for cycle in 0..cycles {
        pause(Duration::from_millis(100 + random.below(4400)));
        site.supervise();
        let what = match cycle % 15 {
            4 => site.lose_disk(),
            8 => {
                kafka.kill();
                // Every other time the broker is down for longer than the transaction timeout.
                let longer = if cycle % 2 == 1 { TRANSACTION_TIMEOUT } else { Duration::ZERO };
                pause(longer + Duration::from_millis(random.below(500)));
                kafka.restart();
                "the broker was killed"
            }
            12 => site.take_over(),
            _ => site.kill(),
        };
        println!("{guarantee}, cycle {} of {cycles}: {what}; {} totals seen", cycle + 1, reader.seen().all().len());
    }
    let written = fleet.stop();
    let expected = expected(&pipeline, &written);
    let counted = i128::from(program.stop());
    let last = expected.last().expect("records").1;
    reader.seen().until(SERIES.into_iter().zip(last).chain([(COUNTED, counted)]));
    let totals = reader.stop();
    let wrong = [wrong(&totals, &expected), went_back(&totals)].concat();
    println!(
        "chaos: {guarantee}, {cycles} cycles, {} records, {counted} counts, {} totals seen, {} wrong, fenced by its own request {}, takeovers {:?}, {:.0} s",
        written.len(),
        totals.len(),
        wrong.len(),
        site.fenced,
        site.takeovers,
        began.elapsed().as_secs_f64()
    );
    pipeline.verify();
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(10)]);
}

/// The aggregators: each has its own `group.instance.id` and its own folder.
struct Site<'a> {
    pipeline: &'a Pipeline,
    disk: &'a Path,
    guarantee: &'static str,
    running: Option<(&'static str, Process)>,
    /// How often the group fenced a member because of a repeated request of its own.
    fenced: usize,
    takeovers: Vec<Duration>,
}

impl Site<'_> {
    fn process(&self, name: &str) -> Process {
        let Pipeline { cluster, application_id, .. } = self.pipeline;
        let folder = self.disk.join(name);
        let own = [
            format!("state.dir={}", folder.display()),
            format!("group_instance_id={name}"),
            format!("processing_guarantee={}", self.guarantee),
        ];
        let mut all = vec!["aggregate", "--brokers", cluster.bootstrap(), "--http", "127.0.0.1:0"];
        all.extend(["--application-id", application_id.as_str(), "--commit-interval", "20ms"]);
        let topics = self.pipeline.topics();
        for setting in own.iter().chain(&topics) {
            all.extend(["--set", setting]);
        }
        QUIPU.start(&all)
    }

    fn start(&mut self, name: &'static str) {
        self.running = Some((name, self.process(name)));
    }

    /// Kills the aggregator, and starts it again with its disk.
    fn kill(&mut self) -> &'static str {
        let name = self.kill_only();
        self.start(name);
        "the aggregator was killed"
    }

    fn kill_only(&mut self) -> &'static str {
        let (name, process) = self.running.take().expect("one runs");
        if process.has_ended() {
            self.assert_fenced(&process);
        } else {
            process.signal("KILL");
        }
        drop(process.finish());
        name
    }

    /// After an outage the group may receive a member's request twice, and take it for that of another process with the
    /// same `group.instance.id`. The aggregator then logs this and ends; its supervisor starts it again.
    fn assert_fenced(&mut self, process: &Process) {
        let log = process.stderr_so_far();
        assert!(log.contains("start this again"), "the aggregator ended unexpectedly: {log}");
        self.fenced += 1;
    }

    fn supervise(&mut self) {
        if let Some((name, process)) = self.running.take_if(|(_, process)| process.has_ended()) {
            self.assert_fenced(&process);
            drop(process.finish());
            self.start(name);
        }
    }

    /// Kills the aggregator, and starts it again without its disk.
    fn lose_disk(&mut self) -> &'static str {
        let name = self.kill_only();
        std::fs::remove_dir_all(self.disk.join(name)).expect("a state folder");
        self.start(name);
        "the aggregator was killed and its disk was lost"
    }

    /// Starts a standby, kills the active aggregator, and waits until the standby has taken over.
    fn take_over(&mut self) -> &'static str {
        let other = if self.running.as_ref().is_some_and(|(name, _)| *name == "a") { "b" } else { "a" };
        let mut waiting = self.process(other);
        eventually("the standby to wait", || {
            waiting.stderr_so_far().contains("waiting for the partition").then_some(())
        });
        self.kill_only();
        let killed = Instant::now();
        eventually("the standby to take over", || {
            if waiting.has_ended() {
                self.assert_fenced(&waiting);
                waiting = self.process(other);
            }
            let log = waiting.stderr_so_far();
            assert!(killed.elapsed() < PATIENCE, "it did not take over: {log}");
            log.contains("caught up").then_some(())
        });
        self.takeovers.push(killed.elapsed());
        self.running = Some((other, waiting));
        "another aggregator took over"
    }
}
