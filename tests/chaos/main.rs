//! The aggregator killed with SIGKILL at random moments, on a real Kafka broker that is killed too, while reporters
//! report; an outside reader holds every total that it sees against the oracle at the offset that the total carries.
//!
//! ```text
//! cargo test --test chaos                        # 32 cycles: 30 times the aggregator, twice the broker; 8 at-least-once
//! cargo test --test chaos -- --cycles 300
//! ```

mod fleet;
mod program;
mod reader;

use std::path::Path;
use std::time::{Duration, Instant};

use quipu_record::Aggregate;
use quipu_testkit::fold::{Logged, Oracle, SERIES};
use quipu_testkit::{Kafka, Pipeline, Process, Quipu, eventually, require};
use rdkafka::message::Message as _;

use fleet::Fleet;
use program::{COUNTED, Program};
use reader::Reader;

/// The binary of this build.
const QUIPU: Quipu = Quipu::new(env!("CARGO_BIN_EXE_quipu"));
const DEFAULT_CYCLES: u64 = 32;
/// The session timeout, a broker's restart, and what a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(50);
/// The aggregator's `transaction.timeout.ms`.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let cycles = args.iter().position(|arg| arg == "--cycles").and_then(|at| args.get(at + 1)?.parse().ok());
    let Some(kafka) = require(Kafka::start()) else { return };
    let cycles = cycles.unwrap_or(DEFAULT_CYCLES);
    run(&kafka, "exactly_once", cycles);
    run(&kafka, "at_least_once", cycles / 4);
    println!("2 passed, 0 failed");
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
    let fleet = Fleet::start(kafka.bootstrap(), &pipeline.metrics);
    let program = Program::start(kafka.bootstrap(), &pipeline.metrics);
    let reader = Reader::start(&pipeline);
    // A generator of its own, so that a run with other cycles is another run.
    let mut random = cycles ^ 0x5eed;
    for cycle in 0..cycles {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        pause(Duration::from_millis(100 + (random >> 33) % 4400));
        site.supervise();
        let what = match cycle % 15 {
            4 => site.lose_disk(),
            8 => {
                kafka.kill();
                // Every other time it is away for longer than a transaction may take.
                let longer = if cycle % 2 == 1 { TRANSACTION_TIMEOUT } else { Duration::ZERO };
                pause(longer + Duration::from_millis((random >> 40) % 500));
                kafka.restart();
                "the broker was killed"
            }
            12 => site.take_over(),
            _ => site.kill(),
        };
        println!("{guarantee}, cycle {} of {cycles}: {what}; {} totals seen", cycle + 1, reader.seen());
    }
    let said = fleet.stop();
    let expected = expected(&pipeline, &said);
    let counted = i128::from(program.stop());
    let last = expected.last().expect("records").1;
    reader.until(SERIES.into_iter().zip(last).chain([(COUNTED, counted)]));
    let totals = reader.stop();
    let wrong = check(&totals, &expected);
    println!(
        "chaos: {guarantee}, {cycles} cycles, {} records, {counted} counts, {} totals seen, {} wrong, fenced by itself {}, takeovers {:?}, {:.0} s",
        said.len(),
        totals.len(),
        wrong.len(),
        site.fenced,
        site.takeovers,
        began.elapsed().as_secs_f64()
    );
    site.agree();
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(10)]);
}

/// The totals after each record that the fleet wrote, by its offset.
fn expected(pipeline: &Pipeline, said: &[Logged]) -> Vec<(i64, Totals)> {
    let keys: std::collections::BTreeSet<String> = said.iter().map(|logged| logged.said.key()).collect();
    let log = pipeline.cluster.read_to_end(&pipeline.metrics);
    let ours = log.iter().filter(|message| {
        message.key().is_some_and(|key| std::str::from_utf8(key).is_ok_and(|key| keys.contains(key)))
    });
    let offsets: Vec<i64> = ours.map(rdkafka::message::OwnedMessage::offset).collect();
    assert_eq!(offsets.len(), said.len(), "every record is in the log once");
    let mut oracle = Oracle::default();
    let after = said.iter().zip(offsets).map(|(logged, offset)| {
        oracle.push(logged);
        let mut totals = [0; SERIES.len()];
        for row in oracle.rows.values() {
            for (series, count) in &row.counters {
                totals[*series] += i128::from(*count) + i128::try_from(row.base).expect("small");
            }
        }
        (offset, totals)
    });
    after.collect()
}

type Totals = [i128; SERIES.len()];

/// What is wrong with the totals that were seen, in their order.
fn check(seen: &[Aggregate], expected: &[(i64, Totals)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut latest = std::collections::BTreeMap::<String, &Aggregate>::new();
    for aggregate in seen {
        let key = aggregate.series.to_string();
        if let Some(series) = SERIES.iter().position(|series| *series == key) {
            let at = expected.partition_point(|(offset, _)| *offset <= aggregate.offset);
            let total = at.checked_sub(1).map_or(0, |at| expected[at].1[series]);
            if total != aggregate.count {
                wrong.push(format!("{key} at {} is {} and should be {total}", aggregate.offset, aggregate.count));
            }
        } else if key != COUNTED {
            continue;
        }
        if let Some(before) = latest.insert(key.clone(), aggregate) {
            let back = before.count > aggregate.count || before.offset > aggregate.offset;
            if back || before.timestamp > aggregate.timestamp {
                wrong.push(format!("{key} went back from {before:?} to {aggregate:?}"));
            }
        }
    }
    wrong
}

/// Where aggregators run: each under a name of its own in the group, with a folder of its own.
struct Site<'a> {
    pipeline: &'a Pipeline,
    disk: &'a Path,
    guarantee: &'static str,
    running: Option<(&'static str, Process)>,
    /// How often the group took one process for two.
    fenced: usize,
    takeovers: Vec<Duration>,
}

impl Site<'_> {
    fn process(&self, name: &str) -> Process {
        let Pipeline { cluster, metrics, aggregates, dead_letters, state, application_id, .. } = self.pipeline;
        let folder = self.disk.join(name);
        let settings = [
            format!("state.dir={}", folder.display()),
            format!("group_instance_id={name}"),
            format!("processing_guarantee={}", self.guarantee),
            format!("topics.metrics={metrics}"),
            format!("topics.aggregates={aggregates}"),
            format!("topics.dead_letters={dead_letters}"),
            format!("topics.state={state}"),
        ];
        let mut all = vec!["aggregate", "--brokers", cluster.bootstrap(), "--http", "127.0.0.1:0"];
        all.extend(["--application-id", application_id.as_str(), "--commit-interval", "20ms"]);
        for setting in &settings {
            all.extend(["--set", setting]);
        }
        QUIPU.start(&all)
    }

    fn start(&mut self, name: &'static str) {
        self.running = Some((name, self.process(name)));
    }

    /// Kills the aggregator, and starts it again on its disk.
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

    /// After an outage the group may hold a member's own request, which came twice, for that of another process with the
    /// same `group.instance.id`. It says so and ends; its supervisor starts it again.
    fn assert_fenced(&mut self, process: &Process) {
        let log = process.stderr_so_far();
        assert!(log.contains("start this again"), "the aggregator ended by itself: {log}");
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

    /// Another aggregator waits while this one is killed, and takes over.
    fn take_over(&mut self) -> &'static str {
        let other = if self.running.as_ref().is_some_and(|(name, _)| *name == "a") { "b" } else { "a" };
        let mut waiting = self.process(other);
        eventually("the other to wait", || waiting.stderr_so_far().contains("waiting for the partition").then_some(()));
        self.kill_only();
        let killed = Instant::now();
        eventually("the other to take over", || {
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

    /// The independent fold says the same as the aggregator.
    fn agree(&self) {
        let Pipeline { cluster, metrics, aggregates, state, .. } = self.pipeline;
        let settings = [
            format!("topics.metrics={metrics}"),
            format!("topics.aggregates={aggregates}"),
            format!("topics.state={state}"),
        ];
        let mut all = vec!["verify", "--brokers", cluster.bootstrap()];
        for setting in &settings {
            all.extend(["--set", setting]);
        }
        let verified = QUIPU.start(&all).finish();
        assert_eq!(verified.status.code(), Some(0), "{}{}", verified.stdout, verified.stderr);
        print!("{}", verified.stdout);
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment of a crash is a random one")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
