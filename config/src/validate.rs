//! Checks of values that have the right type.

use std::time::Duration;

use quipu_record::limits;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::config::Config;
use crate::error::Problem;
use crate::layers::Layers;
use crate::properties::is_secret;
use crate::text::duration;

/// With a longer interval, a crash would repeat minutes of work.
const LONGEST_COMMIT_INTERVAL: Duration = Duration::from_secs(300);
/// Shorter intervals would be within the jitter of clocks and of the network.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// A call of a Kafka client may take 25 s while brokers are unreachable.
const SHORTEST_WATCHDOG: Duration = Duration::from_secs(30);
/// The longest name of a topic in Kafka. IDs become parts of the names of groups and folders.
const NAME_BYTES: usize = 249;

const POSITION: &str = "the aggregator keeps its own position; remove this property";
const EXACT: &str = "without it totals would not be exact; remove this property";
const RELIED_ON: &str = "the aggregator needs its own value; remove this property";
const CLUSTER: &str = "set kafka.brokers instead";
const IDENTITY: &str = "set application_id instead";

/// The properties that only the aggregator sets, and what to do instead.
const OWNED: [(&str, &str); 27] = [
    ("acks", EXACT),
    ("auto.commit.enable", POSITION),
    ("auto.commit.interval.ms", POSITION),
    ("auto.offset.reset", POSITION),
    ("bootstrap.servers", CLUSTER),
    ("client.id", IDENTITY),
    ("enable.auto.commit", POSITION),
    ("enable.auto.offset.store", POSITION),
    ("enable.gapless.guarantee", EXACT),
    ("enable.idempotence", EXACT),
    ("enable.partition.eof", POSITION),
    ("group.id", IDENTITY),
    ("group.instance.id", "set group_instance_id instead"),
    ("isolation.level", EXACT),
    ("max.in.flight", EXACT),
    ("max.in.flight.requests.per.connection", EXACT),
    ("message.send.max.retries", EXACT),
    ("message.max.bytes", RELIED_ON),
    ("message.timeout.ms", RELIED_ON),
    ("metadata.broker.list", CLUSTER),
    ("offset.store.method", POSITION),
    ("partition.assignment.strategy", RELIED_ON),
    ("request.required.acks", EXACT),
    ("retries", EXACT),
    ("statistics.interval.ms", RELIED_ON),
    ("transaction.timeout.ms", EXACT),
    ("transactional.id", IDENTITY),
];

struct Findings<'a> {
    layers: &'a Layers<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Findings<'_> {
    fn add(&mut self, path: &[&str], message: impl AsRef<str>) {
        self.problems.push(self.layers.problem(path, message));
    }

    fn add_if(&mut self, wrong: bool, path: &[&str], message: &str) {
        if wrong {
            self.add(path, message);
        }
    }
}

impl Config {
    pub(super) fn validate(&self, layers: &Layers<'_>, problems: &mut Vec<Problem>) {
        let mut findings = Findings { layers, problems };
        self.validate_identity(&mut findings);
        self.validate_intervals(&mut findings);
        self.validate_kafka(&mut findings);
        self.validate_limits(&mut findings);
        self.validate_audits(&mut findings);
    }

    fn validate_identity(&self, findings: &mut Findings<'_>) {
        let topics = [
            ("metrics", self.topics.metrics.as_str()),
            ("aggregates", &self.topics.aggregates),
            ("state", &self.topics.state),
            ("dead_letters", &self.topics.dead_letters),
        ];
        let paths = topics.map(|(key, name)| (vec!["topics", key], name));
        for (path, name) in paths.iter().chain([&(vec!["application_id"], self.application_id.as_str())]) {
            findings.add_if(
                !is_safe_name(name),
                path,
                "must be 1 to 249 of the characters A-Z a-z 0-9 . _ - and not . or ..",
            );
        }
        for (index, (key, name)) in topics.iter().enumerate() {
            if let Some((other, _)) = topics[..index].iter().find(|(_, other)| other == name) {
                findings.add(&["topics", key], format!("must be another topic than topics.{other}"));
            }
        }
        let factor = self.topics.replication_factor;
        findings.add_if(
            factor != -1 && !(1..=i32::from(i16::MAX)).contains(&factor),
            &["topics", "replication_factor"],
            "must be 1 or more, or -1 for the broker's default",
        );
    }

    fn validate_intervals(&self, findings: &mut Findings<'_>) {
        if self.commit_interval > LONGEST_COMMIT_INTERVAL {
            let longest = duration::format(LONGEST_COMMIT_INTERVAL);
            findings.add(&["commit_interval"], format!("must be at most {longest}"));
        }
        let shortest = duration::format(SHORTEST_INTERVAL);
        for (key, interval) in
            [("refresh_interval", self.refresh_interval), ("instance_timeout", self.instance_timeout)]
        {
            if interval < SHORTEST_INTERVAL {
                findings.add(&[key], format!("must be at least {shortest}"));
            }
        }
        if self.watchdog.is_some_and(|watchdog| watchdog < SHORTEST_WATCHDOG) {
            findings.add(&["watchdog"], format!("must be at least {}, or off", duration::format(SHORTEST_WATCHDOG)));
        }
        for (key, retention) in [("runs", self.retention.runs), ("finished", self.retention.finished)] {
            if retention.is_some_and(|retention| retention < SHORTEST_INTERVAL) {
                findings.add(&["retention", key], format!("must be at least {shortest}, or off"));
            }
        }
        if self.refresh_interval >= SHORTEST_INTERVAL && self.refresh_interval < self.commit_interval {
            // The line is that of a key that is set.
            if findings.layers.has("refresh_interval") {
                findings.add(&["refresh_interval"], "must be at least commit_interval");
            } else {
                let most = duration::format(self.refresh_interval);
                findings.add(&["commit_interval"], format!("must be at most refresh_interval ({most})"));
            }
        }
    }

    fn validate_kafka(&self, findings: &mut Findings<'_>) {
        findings.add_if(
            !self.kafka.brokers.split(',').all(|broker| is_broker(broker.trim())),
            &["kafka", "brokers"],
            "must be a list of host:port, separated by commas, such as \"kafka-1:9092,kafka-2:9092\"",
        );
        for property in self.kafka.secret_files.keys() {
            findings.add_if(
                self.kafka.properties.get(property).is_some(),
                &["kafka", "secret_files", property],
                "is set in kafka.properties too; remove one of the two",
            );
        }
        let sources = [("properties", &self.kafka.properties, false), ("secret_files", &self.kafka.secrets.0, true)];
        for (table, properties, from_secret_file) in sources {
            for (name, value) in properties.iter() {
                if let Some(wrong) = wrong_property(name, value, from_secret_file || is_secret(name)) {
                    findings.add(&["kafka", table, name], wrong);
                }
            }
        }
    }

    fn validate_limits(&self, findings: &mut Findings<'_>) {
        for (key, limit) in [("max_rows", self.limits.max_rows), ("max_series", self.limits.max_series)] {
            findings.add_if(limit == 0, &["limits", key], "must be at least 1");
        }
    }

    fn validate_audits(&self, findings: &mut Findings<'_>) {
        for (index, audit) in self.audits.iter().enumerate() {
            let path = ["audit", &index.to_string(), "name"];
            if !(1..=limits::LABEL_VALUE_BYTES).contains(&audit.name.len()) {
                findings.add(&path, format!("must have 1 to {} bytes", limits::LABEL_VALUE_BYTES));
            }
            let before = &self.audits[..index];
            findings.add_if(
                before.iter().any(|other| other.name == audit.name),
                &path,
                "another audit has this name; names must be unique",
            );
        }
    }
}

fn is_safe_name(name: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(is_safe) && name != "." && name != ".."
}

/// Whether this is a host (an IPv6 address in brackets), with or without a port.
fn is_broker(broker: &str) -> bool {
    let (host, port) = match broker.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (broker, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control()) && port.is_none_or(is_port)
}

/// Why librdkafka refuses a property: in the words of librdkafka, unless they could contain a secret.
fn wrong_property(name: &str, value: &str, is_secret: bool) -> Option<String> {
    if let Some((_, remedy)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Some((*remedy).to_owned());
    }
    if name.contains('\0') || value.contains('\0') {
        return Some("contains a null character".to_owned());
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Err(KafkaError::ClientConfig(_, why, ..)) if why.contains("OpenSSL not available") => {
            Some(format!("{why}; build Quipu with the feature tls (one of its defaults)"))
        }
        Err(KafkaError::ClientConfig(_, why, ..)) if !is_secret || value.is_empty() || !why.contains(value) => {
            Some(why)
        }
        Err(_) => Some("librdkafka does not accept this value".to_owned()),
        Ok(_) => None,
    }
}
