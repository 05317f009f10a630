//! `quipu aggregate` on topics that belong to one test.

use crate::cluster::Cluster;
use crate::outsider::Outsider;
use crate::probe::get;
use crate::process::{Finished, Process, Quipu};
use crate::waiting::eventually;

/// The topics and the application id of one test.
pub struct Pipeline {
    pub cluster: Cluster,
    pub metrics: String,
    pub aggregates: String,
    pub dead_letters: String,
    pub state: String,
    pub application_id: String,
    quipu: Quipu,
}

impl Pipeline {
    pub fn new(quipu: Quipu, bootstrap: &str) -> Self {
        let cluster = Cluster::new(bootstrap);
        Self {
            metrics: cluster.name("metrics"),
            aggregates: cluster.name("metrics-agg"),
            dead_letters: cluster.name("metrics-dlq"),
            state: cluster.name("metrics-state"),
            application_id: cluster.name("quipu"),
            cluster,
            quipu,
        }
    }

    /// Starts an aggregator with additional arguments; the first one creates the topics.
    pub fn start(&self, arguments: &[&str]) -> Aggregator {
        self.start_with(|all| self.quipu.start(all), arguments)
    }

    /// Starts an aggregator that can't write a file larger than this number of blocks of 512 bytes.
    pub fn start_on_a_small_disk(&self, blocks: u32, arguments: &[&str]) -> Aggregator {
        self.start_with(|all| self.quipu.start_on_a_small_disk(blocks, all), arguments)
    }

    fn start_with(&self, start: impl FnOnce(&[&str]) -> Process, arguments: &[&str]) -> Aggregator {
        // No test needs a store on disk: every start reads the changelog. The memory store exists in every build.
        let settings = [&["state.store=memory".to_owned()][..], &self.topics()].concat();
        let mut all = vec!["aggregate", "--brokers", self.cluster.bootstrap(), "--http", "127.0.0.1:0"];
        all.extend(["--application-id", &self.application_id, "--commit-interval", "100ms"]);
        for setting in &settings {
            all.extend(["--set", setting]);
        }
        all.extend(arguments);
        Aggregator { process: start(&all) }
    }

    /// Runs `quipu verify` and expects that it finds the same totals as the aggregator.
    #[track_caller]
    pub fn verify(&self) {
        self.verify_with(&[]);
    }

    /// The same with additional arguments.
    #[track_caller]
    pub fn verify_with(&self, arguments: &[&str]) {
        let settings = self.topics();
        let mut all = vec!["verify", "--brokers", self.cluster.bootstrap()];
        for setting in &settings {
            all.extend(["--set", setting]);
        }
        all.extend(arguments);
        let verified = self.quipu.start(&all).finish();
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    }

    /// The settings that name the test's topics.
    pub fn topics(&self) -> [String; 4] {
        [
            format!("topics.metrics={}", self.metrics),
            format!("topics.aggregates={}", self.aggregates),
            format!("topics.dead_letters={}", self.dead_letters),
            format!("topics.state={}", self.state),
        ]
    }

    /// Starts an aggregator and waits until it is ready.
    pub fn start_ready(&self, arguments: &[&str]) -> Aggregator {
        let aggregator = self.start(arguments);
        aggregator.until_ready();
        aggregator
    }

    /// A reader of `metrics-agg` from its beginning; the topic must exist.
    pub fn outsider(&self) -> Outsider {
        Outsider::new(&self.cluster, &self.aggregates)
    }

    /// Writes values to `metrics`.
    pub fn send<K: AsRef<[u8]>, V: AsRef<[u8]>>(&self, records: impl IntoIterator<Item = (K, V)>) {
        self.cluster.produce(&self.metrics, records.into_iter().map(|(key, value)| (Some(key), Some(value))));
    }
}

/// A running aggregator.
pub struct Aggregator {
    process: Process,
}

impl Aggregator {
    /// Sends a `GET` and returns the status code and the body, or `None` if nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        get(&self.address()?, path)
    }

    /// The address on which it serves HTTP, once it does.
    pub fn address(&self) -> Option<String> {
        let log = self.process.stderr_so_far();
        let address = log.lines().find(|line| line.contains("serving HTTP"))?.split("address=").nth(1)?;
        address.split_whitespace().next().map(str::to_owned)
    }

    #[track_caller]
    pub fn until_ready(&self) {
        self.eventually("the aggregator to be ready", || self.get("/readyz").filter(|(status, _)| *status == 200));
    }

    /// Waits until a series on `/metrics` is at least this number.
    #[track_caller]
    pub fn until_measured(&self, series: &str, at_least: u64) {
        self.eventually(&format!("{series} of {at_least}"), || {
            let (_, metrics) = self.get("/metrics")?;
            let number = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
            number.parse::<u64>().ok().filter(|number| *number >= at_least)
        });
    }

    /// Waits until one line of the log contains all of these texts, and returns the line.
    #[track_caller]
    pub fn until_logged(&self, parts: &[&str]) -> String {
        self.eventually(&format!("{parts:?} in the log"), || {
            let log = self.log();
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        })
    }

    pub fn has_ended(&self) -> bool {
        self.process.has_ended()
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.process.stderr_so_far()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until the process ends without a signal from the test.
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.process.finish()
    }

    /// Sends SIGTERM, expects exit code 0, and returns the log.
    #[track_caller]
    pub fn stop(self) -> String {
        self.signal("TERM");
        let finished = self.finish();
        assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
        finished.stderr
    }

    /// Runs [`eventually`], and fails early if the aggregator ends; prints its log on failure.
    #[track_caller]
    fn eventually<T>(&self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        let on_failure = LogOnFailure(&self.process);
        let answer = eventually(what, || {
            let answer = probe();
            assert!(answer.is_some() || !self.has_ended(), "it ended before {what}");
            answer
        });
        drop(on_failure);
        answer
    }
}

/// Prints the aggregator's log if a wait for it ends in a panic.
struct LogOnFailure<'a>(&'a Process);

impl Drop for LogOnFailure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the aggregator's log:\n{}", self.0.stderr_so_far());
        }
    }
}
