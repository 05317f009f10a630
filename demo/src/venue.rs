//! Where the experiment takes place: on an embedded broker, or in topics of its own on a real cluster.

mod own_topics;

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

/// So many records that the group has not committed may be in a partition of the embedded broker, which keeps 5 MiB of
/// each: a record is less than 30 bytes and its share of a batch's 61, and batches are large when records are many.
const WINDOW: u64 = 80_000;

/// The brokers, the topics on them, and how to reach both.
pub(crate) struct Venue {
    pub(crate) brokers: String,
    pub(crate) names: Names,
    /// The file that says how to connect to the cluster.
    config: Option<PathBuf>,
    /// What else it takes to connect.
    properties: Vec<(String, String)>,
    aggregator: Config,
    place: Place,
}

/// What the experiment calls what it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) records: String,
    pub(crate) metrics: String,
    pub(crate) aggregates: String,
    pub(crate) state: String,
    pub(crate) dead_letters: String,
    /// The consumers' group.
    pub(crate) group: String,
    /// The aggregator, and its group.
    pub(crate) application: String,
}

enum Place {
    /// It lives as long as this value.
    Embedded(#[expect(dead_code, reason = "what matters is that it is there")] EmbeddedBroker),
    Cluster(Box<OwnTopics>),
}

impl Venue {
    /// Makes sure that brokers and topics are there.
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
        Ok(Self {
            brokers: broker.bootstrap_servers(),
            names,
            config: None,
            properties: Vec::new(),
            aggregator,
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
        Ok(Self { brokers, names, config, properties, aggregator, place: Place::Cluster(topics) })
    }

    /// What is about to happen, and how to look in.
    pub(crate) fn introduction(&self, options: &DemoOptions) -> String {
        let (records, rate, brokers) = (grouped(options.records), grouped(options.rate), &self.brokers);
        let place = if self.is_embedded() { "an embedded broker at " } else { "" };
        format!(
            "{records} records at {rate}/s, two consumers, on {place}{brokers}; to look in:\n  kcat -b {brokers} -C -t {} \
             -K '  '",
            self.names.aggregates
        )
    }

    /// What suits the brokers. The embedded one takes the session timeout less a second for a rebalance, but 3 s for a
    /// group's first, which a session has to outlive; and its fetches wait for as long as they may.
    pub(crate) fn consumer_properties(&self) -> Vec<String> {
        let properties: &[&str] = match self.place {
            Place::Embedded(_) => &["session.timeout.ms=3600", "heartbeat.interval.ms=200", "fetch.wait.max.ms=20"],
            Place::Cluster(_) => &["session.timeout.ms=10000", "heartbeat.interval.ms=1000"],
        };
        properties.iter().map(|property| (*property).to_owned()).collect()
    }

    /// How many uncommitted records a partition may hold before the producer has to wait; none if it need not.
    pub(crate) fn window(&self) -> Option<u64> {
        self.is_embedded().then_some(WINDOW)
    }

    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.place, Place::Embedded(_))
    }

    /// How an instance of the experiment connects.
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

    /// How this process connects.
    pub(crate) fn client(&self) -> ClientConfig {
        cluster::client_config(&self.brokers, "quipu-demo", &self.properties)
    }

    /// The aggregator's configuration: that of the user as far as it tells how to connect.
    pub(crate) fn aggregator(&self, options: &DemoOptions) -> Result<Config> {
        let mut config = self.aggregator.clone();
        config.application_id.clone_from(&self.names.application);
        config.commit_interval = options.report_interval;
        config.topics.metrics.clone_from(&self.names.metrics);
        config.topics.aggregates.clone_from(&self.names.aggregates);
        config.topics.state.clone_from(&self.names.state);
        config.topics.dead_letters.clone_from(&self.names.dead_letters);
        config.topics.create = false;
        // Whatever it knows is of no use after the experiment.
        config.state.store = StoreKind::Memory;
        config.http.listen = None;
        if self.is_embedded() {
            // The embedded broker answers transactions and does not isolate them.
            config.processing_guarantee = ProcessingGuarantee::AtLeastOnce;
        }
        let selector = |name: &str| name.parse::<Selector>().with_context(|| format!("{name} selects no series"));
        config.audits = vec![Audit { name: AUDIT.to_owned(), sent: selector(SENT)?, processed: selector(PROCESSED)? }];
        Ok(config)
    }

    /// How an observer connects.
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

    /// Leaves nothing behind on a real cluster. To be called when nobody uses the topics any more; else it is tried
    /// when this value is dropped.
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

    /// The topics with their numbers of partitions.
    fn topics(&self) -> [(&str, i32); 5] {
        let single =
            [&self.metrics, &self.aggregates, &self.state, &self.dead_letters].map(|topic| (topic.as_str(), 1));
        let [metrics, aggregates, state, dead_letters] = single;
        [(&self.records, PARTITIONS), metrics, aggregates, state, dead_letters]
    }
}
