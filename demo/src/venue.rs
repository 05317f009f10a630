//! The brokers and topics of the experiment: an embedded broker, or topics of its own on a real cluster.

mod own_topics;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use quipu_broker::EmbeddedBroker;
use quipu_config::{Audit, Config, ProcessingGuarantee, StoreKind};
use quipu_record::Selector;
use quipu_tui::SourceOptions;
use rdkafka::ClientConfig;
use uuid::Uuid;

use crate::child::{Connection, PARTITIONS};
use crate::cluster;
use crate::format::grouped;
use crate::options::DemoOptions;
use crate::watch::observer::{AUDIT, PROCESSED, SENT};
use own_topics::OwnTopics;

/// How many records that the group has not committed may be in a partition of the embedded broker. The broker keeps 5 MiB
/// of each partition. A record takes less than 30 bytes plus a share of its batch's 61 bytes, and batches are large at a
/// high rate.
const WINDOW: u64 = 80_000;

/// The brokers and topics, and how to connect to them.
pub(crate) struct Venue {
    pub(crate) brokers: String,
    pub(crate) names: Names,
    /// The file with the connection settings of the cluster.
    config: Option<PathBuf>,
    /// The other Kafka properties that a connection needs.
    properties: Vec<(String, String)>,
    aggregator: Config,
    /// Where the aggregator serves HTTP.
    http: SocketAddr,
    place: Place,
}

/// The names of the topics, the consumer group and the aggregator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) records: String,
    pub(crate) metrics: String,
    pub(crate) aggregates: String,
    pub(crate) state: String,
    pub(crate) dead_letters: String,
    /// The consumer group of app-1 and app-2.
    pub(crate) group: String,
    /// The aggregator's `application_id`, which is also its consumer group.
    pub(crate) application: String,
}

enum Place {
    /// The embedded broker, which runs as long as this value exists.
    Embedded(#[expect(dead_code, reason = "the broker stops when it is dropped")] EmbeddedBroker),
    Cluster(Box<OwnTopics>),
}

impl Venue {
    /// Starts an embedded broker or connects to the cluster, and creates the topics.
    pub(crate) fn open(options: &DemoOptions) -> Result<Self> {
        if options.brokers.is_some() || options.config.is_some() { Self::on_cluster(options) } else { Self::embedded() }
    }

    fn embedded() -> Result<Self> {
        let broker = EmbeddedBroker::start()?;
        let names = Names::new("");
        for (topic, partitions) in names.topics() {
            broker.create_topic(topic, partitions)?;
        }
        let mut aggregator = Config::default();
        aggregator.kafka.brokers = broker.bootstrap_servers();
        // With the default names, `quipu top` needs no option but the address.
        let names = Names { application: aggregator.application_id.clone(), ..names };
        Ok(Self {
            brokers: broker.bootstrap_servers(),
            names,
            config: None,
            properties: Vec::new(),
            aggregator,
            http: free_address()?,
            place: Place::Embedded(broker),
        })
    }

    fn on_cluster(options: &DemoOptions) -> Result<Self> {
        let aggregator = cluster::config(options.config.as_deref(), options.brokers.as_deref())?;
        let (brokers, properties) = (aggregator.kafka.brokers.clone(), cluster::properties(&aggregator));
        let random = Uuid::now_v7().as_u128() & 0xffff_ffff;
        let names = Names::new(&format!("quipu-demo-{random:08x}-"));
        let client = cluster::client_config(&brokers, "quipu-demo", &properties);
        let topics = Box::new(OwnTopics::create(&client, &names)?);
        let config = options.config.clone();
        Ok(Self {
            brokers,
            names,
            config,
            properties,
            aggregator,
            http: free_address()?,
            place: Place::Cluster(topics),
        })
    }

    /// Returns the first lines of the output: what the experiment does, and how to watch it from another terminal.
    /// `program` is the path of this program.
    pub(crate) fn introduction(&self, options: &DemoOptions, program: &str) -> String {
        let (records, rate, brokers) = (grouped(options.records), grouped(options.rate), &self.brokers);
        let place = if self.is_embedded() { "an embedded broker at " } else { "" };
        format!(
            "{records} records at {rate}/s, two consumers, on {place}{brokers}\nto watch from another terminal until the end:\n  \
             {} top{}\n  kcat -b {brokers} -C -t {} -K '  '\n  {} explain {PROCESSED} --http {}",
            word(program),
            self.top_options(),
            self.names.aggregates,
            word(program),
            self.http,
        )
    }

    /// Returns the options with which `quipu top` shows this experiment.
    fn top_options(&self) -> String {
        let default = Config::default();
        let mut options = String::new();
        let mut add = |option: &str, value: &str| {
            let _ = write!(options, " {option}{}", word(value));
        };
        if let Some(config) = &self.config {
            add("--config ", &config.display().to_string());
        }
        add("--brokers ", &self.brokers);
        for (option, name, default) in [
            ("--application-id ", &self.names.application, &default.application_id),
            ("--set topics.metrics=", &self.names.metrics, &default.topics.metrics),
            ("--set topics.aggregates=", &self.names.aggregates, &default.topics.aggregates),
        ] {
            // The user's configuration may have other names than the default.
            if self.config.is_some() || name != default {
                add(option, name);
            }
        }
        options
    }

    /// Returns the consumer properties that suit the brokers. A rebalance on the embedded broker takes the session timeout
    /// less one second. The first rebalance of a group takes 3 s, so the session timeout must be longer than that. A fetch
    /// from the embedded broker always waits for `fetch.wait.max.ms`, so this time must be short.
    ///
    /// If the embedded broker can't run for a second during a rebalance, it removes the members that wait for its answer
    /// and never answers them. librdkafka sends the request again 3 s after `max.poll.interval.ms`, which is 5 minutes by
    /// default: the experiment would be stuck.
    pub(crate) fn consumer_properties(&self) -> Vec<String> {
        let properties: &[&str] = match self.place {
            Place::Embedded(_) => &[
                "session.timeout.ms=3600",
                "heartbeat.interval.ms=200",
                "max.poll.interval.ms=6000",
                "fetch.wait.max.ms=20",
            ],
            Place::Cluster(_) => &["session.timeout.ms=10000", "heartbeat.interval.ms=1000"],
        };
        properties.iter().map(|property| (*property).to_owned()).collect()
    }

    /// Returns how many uncommitted records a partition may hold before the producer waits; `None` means no limit.
    pub(crate) fn window(&self) -> Option<u64> {
        self.is_embedded().then_some(WINDOW)
    }

    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.place, Place::Embedded(_))
    }

    /// Returns the connection options of an instance.
    pub(crate) fn connection(&self, instance: &str, options: &DemoOptions) -> Connection {
        Connection {
            instance: instance.to_owned(),
            brokers: self.brokers.clone(),
            cluster: !self.is_embedded(),
            config: self.config.clone(),
            metrics: self.names.metrics.clone(),
            report_interval: options.report_interval,
            topic: self.names.records.clone(),
            group: self.names.group.clone(),
        }
    }

    /// Returns the client configuration of this process.
    pub(crate) fn client(&self) -> ClientConfig {
        cluster::client_config(&self.brokers, "quipu-demo", &self.properties)
    }

    /// Returns the aggregator's configuration. Only the connection settings come from the user's configuration.
    pub(crate) fn aggregator(&self, options: &DemoOptions) -> Result<Config> {
        let mut config = self.aggregator.clone();
        config.application_id.clone_from(&self.names.application);
        config.commit_interval = options.report_interval;
        config.topics.metrics.clone_from(&self.names.metrics);
        config.topics.aggregates.clone_from(&self.names.aggregates);
        config.topics.state.clone_from(&self.names.state);
        config.topics.dead_letters.clone_from(&self.names.dead_letters);
        config.topics.create = false;
        // The rows are not needed after the experiment.
        config.state.store = StoreKind::Memory;
        config.http.listen = Some(self.http.into());
        if self.is_embedded() {
            // The embedded broker accepts transactions but does not isolate them.
            config.processing_guarantee = ProcessingGuarantee::AtLeastOnce;
        }
        let selector = |name: &str| name.parse::<Selector>().with_context(|| format!("{name} selects no series"));
        config.audits = vec![Audit { name: AUDIT.to_owned(), sent: selector(SENT)?, processed: selector(PROCESSED)? }];
        Ok(config)
    }

    /// Returns the connection options of an observer.
    pub(crate) fn source(&self) -> SourceOptions {
        SourceOptions {
            brokers: self.brokers.clone(),
            metrics_topic: self.names.metrics.clone(),
            aggregates_topic: self.names.aggregates.clone(),
            application_id: self.names.application.clone(),
            properties: self.properties.clone(),
            ..SourceOptions::default()
        }
    }

    /// Deletes the topics and groups from a real cluster. Call it after all programs have stopped. Without this call, the
    /// deletion happens on drop, which can only log errors.
    pub(crate) fn close(self) -> Result<()> {
        match self.place {
            Place::Embedded(_) => Ok(()),
            Place::Cluster(mut topics) => topics.delete().context("not everything could be deleted from the cluster"),
        }
    }
}

impl Names {
    fn new(prefix: &str) -> Self {
        let name = |name: &str| format!("{prefix}{name}");
        Self {
            records: name("records"),
            metrics: name("metrics"),
            aggregates: name("metrics-agg"),
            state: name("metrics-state"),
            dead_letters: name("metrics-dlq"),
            group: name("apps"),
            application: name("aggregator"),
        }
    }

    /// Returns the topics with their numbers of partitions.
    fn topics(&self) -> [(&str, i32); 5] {
        let single =
            [&self.metrics, &self.aggregates, &self.state, &self.dead_letters].map(|topic| (topic.as_str(), 1));
        let [metrics, aggregates, state, dead_letters] = single;
        [(&self.records, PARTITIONS), metrics, aggregates, state, dead_letters]
    }
}

/// Writes a text as one word of a POSIX shell.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// An address of this machine that nobody listens on at the moment.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    listener.local_addr().context("the port of a listener is unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_word_of_the_shell() {
        for (text, expected) in [
            ("127.0.0.1:9092,[::1]:9092", "'127.0.0.1:9092,[::1]:9092'"),
            ("target/release/quipu", "target/release/quipu"),
            ("my quipu's.toml", r"'my quipu'\''s.toml'"),
            ("", "''"),
        ] {
            assert_eq!(word(text), expected);
        }
    }
}
