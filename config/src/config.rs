use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use quipu_record::Selector;
use serde::{Deserialize, Serialize};

use crate::properties::{Properties, Secrets};
use crate::secret::Secret;
use crate::sink::{Sink, postpone};
use crate::text::{duration, listen, off};

/// Everything that can be set, with what holds when it is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which aggregator this is: its consumer group and client ID. Of two with the same ID one works and the other waits
    /// to take over; two with different IDs and the same topics overwrite each other's aggregates. Default `quipu`.
    pub application_id: String,
    /// How often changed aggregates are published and the position is committed. `0s` is after every batch.
    /// Default 1 s.
    #[serde(with = "duration")]
    pub commit_interval: Duration,
    /// How often an aggregate that did not change is published again, so that graphs have no holes. Default 1 min.
    #[serde(with = "duration")]
    pub refresh_interval: Duration,
    /// After how long without a report a run no longer counts as a live instance (its counts stay in the totals).
    /// Default 30 s.
    #[serde(with = "duration")]
    pub instance_timeout: Duration,
    /// What holds when the aggregator crashes. Default `exactly_once`.
    pub processing_guarantee: ProcessingGuarantee,
    /// A name for this process within its group (`group.instance.id`): killed and started again under the same name,
    /// it need not wait until the group takes the one before for dead (10 s). Empty is none. Default empty.
    pub group_instance_id: String,
    /// After how long without a step, although there is something to read or to commit, the process leaves the group and
    /// ends with exit code 75, so that a standby or its supervisor goes on; at least 30 s. None (`off` in text): never.
    /// Default 1 min.
    #[serde(with = "duration::or_off")]
    pub watchdog: Option<Duration>,
    /// Where rows outlive the process.
    pub state: State,
    /// How to reach Kafka.
    pub kafka: Kafka,
    /// Which topics to use.
    pub topics: Topics,
    /// How much to hold in memory.
    pub limits: Limits,
    /// The aggregator's own metrics and health, and the query API.
    pub http: Http,
    /// Pairs of aggregates to compare. Default none.
    #[serde(rename = "audit")]
    pub audits: Vec<Audit>,
    /// Where the totals are written to, besides their topic. Default none.
    #[serde(rename = "sink", deserialize_with = "postpone")]
    pub sinks: Vec<Sink>,
}

/// What holds when the aggregator crashes; the names are Kafka Streams'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessingGuarantee {
    /// Totals, rows and position become visible together, in one transaction; a process that was taken for dead is
    /// fenced.
    #[default]
    ExactlyOnce,
    /// Without transactions: after a crash totals may be said twice (which harms nobody, they are absolute), and a
    /// process that was taken for dead may still say older ones.
    AtLeastOnce,
}

/// Where rows outlive the process, near it. The changelog has them too: the store saves the time to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Which store. Default `rocksdb`.
    pub store: StoreKind,
    /// The folder that holds a folder for each application ID. A relative path starts at the working directory.
    /// Default `quipu-state`.
    pub dir: PathBuf,
}

/// Which store keeps the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// On disk, in RocksDB.
    #[default]
    Rocksdb,
    /// None: every start reads the changelog.
    Memory,
}

/// How to reach Kafka.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// The brokers to ask first, `host:port`, separated by commas. Default `localhost:9092`.
    pub brokers: String,
    /// Properties of librdkafka for every client of the aggregator, such as `security.protocol`. Default none.
    pub properties: Properties,
    /// Properties whose value stands in a file (one newline at its end is dropped), such as `sasl.password`. A
    /// relative path starts at the working directory. Default none.
    pub secret_files: BTreeMap<String, PathBuf>,
    /// What stood in the secret files when the configuration was loaded.
    #[serde(skip)]
    pub(crate) secrets: Secrets,
}

/// Which topics to use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// Where reports and counters come from. Default `metrics`.
    pub metrics: String,
    /// Where the totals go. Default `metrics-agg`.
    pub aggregates: String,
    /// The changelog of the rows. Default `metrics-state`.
    pub state: String,
    /// Where bad records go. Default `metrics-dlq`.
    pub dead_letters: String,
    /// Whether to create topics that are absent. Default true.
    pub create: bool,
    /// The replication factor of the topics that are created; -1 is the broker's default. Default -1.
    pub replication_factor: i32,
}

/// How much to hold in memory. What a limit cuts off is counted and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most rows (runs, parts of runs, and keys of plain counters) to hold. Default 5 million.
    pub max_rows: usize,
    /// The most series to hold totals of. Default 1 million.
    pub max_series: usize,
}

/// The aggregator's own metrics and health, and the query API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where `/metrics`, `/metrics/totals`, `/healthz`, `/readyz` and `/api/v1` are served; `off` in text is none.
    /// Default `127.0.0.1:9464`.
    #[serde(with = "listen")]
    pub listen: Option<SocketAddr>,
    /// The file that holds the token which `/api/v1` and `/metrics/totals` ask for (`Authorization: Bearer …`); `off` in
    /// text is none. Default none.
    #[serde(with = "off")]
    pub token_file: Option<PathBuf>,
    /// What stood in the file when the configuration was loaded.
    #[serde(skip)]
    pub(crate) token: Secret,
}

/// A pair of aggregates, what was sent and what was processed, and a name for their difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The label `audit` of the series that are derived from the pair.
    pub name: String,
    /// The series that count what was sent.
    pub sent: Selector,
    /// The series that count what was processed.
    pub processed: Selector,
}

impl Config {
    /// The defaults as a commented file.
    pub const EXAMPLE: &str = include_str!("../../quipu.example.toml");

    /// The properties of librdkafka that every client of the aggregator has: brokers, client ID, what was passed
    /// through, and the secrets.
    pub fn client_properties(&self) -> impl Iterator<Item = (&str, &str)> {
        [("bootstrap.servers", self.kafka.brokers.as_str()), ("client.id", self.application_id.as_str())]
            .into_iter()
            .chain(self.kafka.properties.iter())
            .chain(self.kafka.secrets.0.iter())
    }

    /// The configuration as TOML, with `***` for values that may be secret.
    ///
    /// # Errors
    /// A number or a path is none that TOML can hold.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

impl Http {
    /// The token that was in the file when the configuration was loaded.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.0.as_deref()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            application_id: "quipu".to_owned(),
            commit_interval: Duration::from_secs(1),
            refresh_interval: Duration::from_secs(60),
            instance_timeout: Duration::from_secs(30),
            processing_guarantee: ProcessingGuarantee::default(),
            group_instance_id: String::new(),
            watchdog: Some(Duration::from_secs(60)),
            state: State::default(),
            kafka: Kafka::default(),
            topics: Topics::default(),
            limits: Limits::default(),
            http: Http::default(),
            audits: Vec::new(),
            sinks: Vec::new(),
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { store: StoreKind::default(), dir: PathBuf::from("quipu-state") }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            properties: Properties::default(),
            secret_files: BTreeMap::new(),
            secrets: Secrets::default(),
        }
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            metrics: "metrics".to_owned(),
            aggregates: "metrics-agg".to_owned(),
            state: "metrics-state".to_owned(),
            dead_letters: "metrics-dlq".to_owned(),
            create: true,
            replication_factor: -1,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_rows: 5_000_000, max_series: 1_000_000 }
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)));
        Self { listen, token_file: None, token: Secret::default() }
    }
}
