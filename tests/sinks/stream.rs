//! Publishes totals on a broker, starts a sink that reads them, and compares what arrived.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use quipu_broker::EmbeddedBroker;
use quipu_record::{Aggregate, Millis, Offset, Series, Total};
use quipu_testkit::http::get_json;
use quipu_testkit::{DEADLINE, eventually};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use tempfile::NamedTempFile;

/// The points that a target has or must have: for each series and time in ms, the total.
pub(crate) type Points = BTreeMap<(Series, i64), i128>;

/// A topic with totals.
pub(crate) struct Stream {
    _broker: Option<EmbeddedBroker>,
    brokers: String,
    topic: String,
    producer: BaseProducer,
    /// The total that was published last for each series and time.
    pub(crate) points: Points,
    started: i64,
}

impl Stream {
    pub(crate) fn new() -> Self {
        let broker = EmbeddedBroker::start().unwrap();
        for topic in ["metrics", "metrics-agg"] {
            broker.create_topic(topic, 1).unwrap();
        }
        let brokers = broker.bootstrap_servers();
        Self { _broker: Some(broker), ..Self::on(&brokers, "metrics-agg") }
    }

    /// Publishes on a topic of another broker.
    pub(crate) fn on(brokers: &str, topic: &str) -> Self {
        let producer = ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        // Whole seconds of the last hour: every target keeps them, whatever its resolution.
        let started = (i64::try_from(now).unwrap() / 1000 - 3600) * 1000;
        let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
        Self { _broker: None, brokers, topic, producer, points: Points::new(), started }
    }

    /// Publishes totals of these series with the time `second`.
    pub(crate) fn publish(&mut self, second: i64, totals: impl IntoIterator<Item = (Series, i128)>) {
        for (series, count) in totals {
            let timestamp = self.started + second * 1000;
            self.points.insert((series.clone(), timestamp), count);
            let total = Total::Counter(count);
            let (time, offset) = (Millis(timestamp), Offset(second));
            let aggregate = Aggregate { series, total, timestamp: time, offset, instances: 2 };
            let (key, value) = (aggregate.series.to_string(), aggregate.to_json());
            let mut record = BaseRecord::to(&self.topic).key(&key).payload(&value);
            while let Err((_, again)) = self.producer.send(record) {
                self.producer.poll(std::time::Duration::from_millis(10));
                record = again;
            }
        }
        self.producer.flush(DEADLINE).unwrap();
    }

    /// Publishes totals of 40 series for each second, twice: the later ones correct the first ones.
    pub(crate) fn publish_seconds(&mut self, seconds: std::ops::Range<i64>) {
        for second in seconds {
            for correction in 0..2 {
                let totals = (0..40_i64).map(|number| {
                    let labels = [("number", number.to_string())];
                    (Series::new("records", labels).unwrap(), i128::from(second * 1000 + number * 2 + correction))
                });
                self.publish(second, totals.collect::<Vec<_>>());
            }
        }
    }

    /// Starts the binary with this sink, whose name is `test`.
    pub(crate) fn start_sink(&self, sink: &str) -> Sink {
        self.start_sink_with(sink, &[])
    }

    /// Starts the binary with this sink and additional environment variables.
    pub(crate) fn start_sink_with(&self, sink: &str, variables: &[(&str, &str)]) -> Sink {
        let [mut config, stdout, stderr] = [(); 3].map(|()| NamedTempFile::new().unwrap());
        write!(config, "topics.aggregates = '{}'\n[[sink]]\nname = 'test'\n{sink}\n", self.topic).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
        command.args(["sink", "--brokers", &self.brokers, "--http", "127.0.0.1:0"]);
        command.args(["--set", "kafka.properties.fetch.wait.max.ms=20", "--config"]).arg(config.path());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUIPU_")) {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        let [to_stdout, to_stderr] = [&stdout, &stderr].map(|file| file.reopen().unwrap());
        let child = command.stdin(Stdio::null()).stdout(to_stdout).stderr(to_stderr).spawn().unwrap();
        Sink { child, stdout, stderr, _config: config }
    }

    /// Waits until the target has exactly the totals that were published last.
    #[track_caller]
    pub(crate) fn expect(&self, sink: &Sink, mut read: impl FnMut() -> Points) {
        let mut have = Points::new();
        let arrived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the totals to arrive", || {
                have = read();
                (have == self.points).then_some(())
            });
        }));
        if arrived.is_err() {
            let missing: Vec<_> =
                self.points.iter().filter(|(key, value)| have.get(key) != Some(value)).take(5).collect();
            let unexpected: Vec<_> =
                have.iter().filter(|(key, value)| self.points.get(key) != Some(value)).take(5).collect();
            let (published, read, log) = (self.points.len(), have.len(), sink.log());
            panic!(
                "{read} points instead of {published};\nmissing {missing:#?}\nunexpected {unexpected:#?}\nthe sink's log:\n{log}"
            );
        }
    }
}

/// A running `quipu sink`; dropping it kills the process.
pub(crate) struct Sink {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
    _config: NamedTempFile,
}

impl Sink {
    /// The standard output so far.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(&self.stdout).unwrap()
    }

    /// Waits until the log contains this text.
    #[track_caller]
    pub(crate) fn expect_log(&self, words: &str) {
        let logged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(words, || self.log().contains(words).then_some(()));
        }));
        assert!(logged.is_ok(), "the sink did not log {words:?} but:\n{}", self.log());
    }

    /// Sends SIGTERM and expects exit code 0.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        let terminated = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(terminated.success());
        let status = eventually("the sink to end", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    /// Waits until the sink's status fulfils the condition.
    #[track_caller]
    pub(crate) fn expect_status(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        let address = eventually("the HTTP address", || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains("serving HTTP"))?;
            Some(line.split_once("address=")?.1.split_whitespace().next()?.to_owned())
        });
        let mut status = Value::Null;
        let fulfilled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(what, || {
                status = get_json(&address, "/api/v1/status")["sinks"].get(0)?.clone();
                holds(&status).then_some(())
            });
        }));
        assert!(fulfilled.is_ok(), "not {what}: {status}; the sink's log:\n{}", self.log());
    }

    /// Waits until the target has accepted this number of points.
    #[track_caller]
    pub(crate) fn expect_points(&self, points: usize) {
        self.expect_status("the points accepted", |status| status["points"].as_u64() >= Some(points as u64));
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Reverses the rule by which sinks replace characters that a target can't hold.
pub(crate) fn restore(cleaned: &str) -> String {
    let bytes = cleaned.as_bytes();
    let (mut restored, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let group = cleaned.get(at..at + 4).and_then(|group| group.strip_prefix("_x"));
        let is_digit = |c: char| matches!(c, '0'..='9' | 'A'..='F');
        if let Some(digits) = group.filter(|digits| digits.chars().all(is_digit)) {
            restored.push(u8::from_str_radix(digits, 16).unwrap());
            at += 4;
        } else {
            restored.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(restored).unwrap()
}
