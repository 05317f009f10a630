use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use quipu_record::Selector;
use serde::{Deserialize, Serialize};

use crate::listen::ListenAddress;
use crate::properties::{Properties, Secrets};
use crate::secret::Secret;
use crate::sink::{Sink, postpone};
use crate::text::{duration, listen, off};

/// Everything that can be set, with the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The consumer group and client ID of the aggregator. Of several processes with the same ID, one is active and the
    /// others are standbys. Two processes with different IDs and the same topics overwrite each other's aggregates.
    /// Default `quipu`.
    pub application_id: String,
    /// How often changed aggregates are published and the position is committed. `0s`: after every batch.
    /// Default 1 s.
    #[serde(with = "duration")]
    pub commit_interval: Duration,
    /// How often an aggregate that did not change is published again, so that graphs have no gaps. Default 1 min.
    #[serde(with = "duration")]
    pub refresh_interval: Duration,
    /// After this long without a report, a run counts as silent and no longer as a live instance. Its counts stay in the
    /// totals. Default 30 s.
    #[serde(with = "duration")]
    pub instance_timeout: Duration,
    /// What holds when the aggregator crashes. Default `exactly_once`.
    pub processing_guarantee: ProcessingGuarantee,
    /// A name for this process within its group (`group.instance.id`). A process that is killed and started again under
    /// the same name does not wait for the session timeout of its predecessor (10 s). Empty: none. Default empty.
    pub group_instance_id: String,
    /// After this long without a step, although there is something to read or to commit, the process leaves the group and
    /// ends with exit code 75, so that a standby takes over or the supervisor restarts it. At least 30 s. None (`off` in
    /// text): never. Default 1 min.
    #[serde(with = "duration::or_off")]
    pub watchdog: Option<Duration>,
    /// When runs and plain keys expire.
    pub retention: Retention,
    /// The local store of the rows.
    pub state: State,
    /// How to connect to Kafka.
    pub kafka: Kafka,
    /// Which topics to use.
    pub topics: Topics,
    /// How much to hold in memory.
    pub limits: Limits,
    /// The aggregator's own metrics and health, and the query API.
    pub http: Http,
    /// The audits. Default none.
    #[serde(rename = "audit")]
    pub audits: Vec<Audit>,
    /// The sinks, which copy the totals to other targets. Default none.
    #[serde(rename = "sink", deserialize_with = "postpone")]
    pub sinks: Vec<Sink>,
}

/// What holds when the aggregator crashes. The names are those of Kafka Streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessingGuarantee {
    /// Totals, rows and position are committed in one transaction. A process that the group has replaced is fenced.
    #[default]
    ExactlyOnce,
    /// There are no transactions. After a crash a total may be published twice, which is harmless because totals are
    /// absolute. A process that the group has replaced may still publish older totals.
    AtLeastOnce,
}

/// When runs and plain keys expire. Their rows are removed, and what they counted stays in the totals. The time is log time:
/// it stands still while nothing is written to the topic. It needs `exactly_once`; with `at_least_once` nothing expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// A run, or a plain key whose records allow it, expires after this long without a record. None (`off` in text): never.
    /// Default 7 d.
    #[serde(with = "duration::or_off")]
    pub runs: Option<Duration>,
    /// A run expires this long after the final report of its last part. None (`off` in text): not before `runs`.
    /// Default 1 h.
    #[serde(with = "duration::or_off")]
    pub finished: Option<Duration>,
}

/// The local store of the rows. The changelog has the rows, too: the store saves the time to read it at a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Which store. Default `rocksdb`.
    pub store: StoreKind,
    /// The folder that has a folder for each application ID. A relative path starts at the working directory.
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
    /// In memory only: every start reads the changelog.
    Memory,
}

/// How to connect to Kafka.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// The brokers to contact first, `host:port`, separated by commas. Default `localhost:9092`.
    pub brokers: String,
    /// Properties of librdkafka for every client of the aggregator, such as `security.protocol`. Default none.
    pub properties: Properties,
    /// Properties whose value is read from a file (one newline at its end is dropped), such as `sasl.password`. A
    /// relative path starts at the working directory. Default none.
    pub secret_files: BTreeMap<String, PathBuf>,
    /// The contents of the secret files when the configuration was loaded.
    #[serde(skip)]
    pub(crate) secrets: Secrets,
}

/// Which topics to use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// The topic that reports and plain records are read from. Default `metrics`.
    pub metrics: String,
    /// The topic that totals are published to. Default `metrics-agg`.
    pub aggregates: String,
    /// The changelog of the rows. Default `metrics-state`.
    pub state: String,
    /// The topic that bad records are copied to. Default `metrics-dlq`.
    pub dead_letters: String,
    /// Whether to create missing topics. Default true.
    pub create: bool,
    /// The replication factor of the topics that are created; -1 is the broker's default. Default -1.
    pub replication_factor: i32,
}

/// How much to hold in memory. A record over a limit is counted and copied as a bad record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The most rows: runs, parts of runs, and plain keys. Default 5 million.
    pub max_rows: usize,
    /// The most series with a total. Default 1 million.
    pub max_series: usize,
}

/// The aggregator's own metrics and health, and the query API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where `/metrics`, `/metrics/totals`, `/healthz`, `/readyz`, `/api/v1` and the page that links them are served.
    /// `off` in text: nowhere. Default `127.0.0.1:9464`.
    #[serde(with = "listen")]
    pub listen: Option<ListenAddress>,
    /// The file with the token that `/api/v1` and `/metrics/totals` require (`Authorization: Bearer …`). `off` in text:
    /// none. Default none.
    #[serde(with = "off")]
    pub token_file: Option<PathBuf>,
    /// The contents of the file when the configuration was loaded.
    #[serde(skip)]
    pub(crate) token: Secret,
}

/// A comparison of what was sent with what was processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The value of the label `audit` of the derived series.
    pub name: String,
    /// The series that count what was sent.
    pub sent: Selector,
    /// The series that count what was processed.
    pub processed: Selector,
}

impl Config {
    /// The defaults as a commented file.
    pub const EXAMPLE: &str = include_str!("../../quipu.example.toml");

    /// The properties of librdkafka for every client of the aggregator: brokers, client ID, `kafka.properties`, and the
    /// secrets.
    pub fn client_properties(&self) -> impl Iterator<Item = (&str, &str)> {
        [("bootstrap.servers", self.kafka.brokers.as_str()), ("client.id", self.application_id.as_str())]
            .into_iter()
            .chain(self.kafka.properties.iter())
            .chain(self.kafka.secrets.0.iter())
    }

    /// The configuration as TOML, with `***` for values that may be secret.
    ///
    /// # Errors
    /// TOML can't represent a number or a path of the configuration.
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
            retention: Retention::default(),
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

impl Default for Retention {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self { runs: Some(7 * 24 * HOUR), finished: Some(HOUR) }
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
        let listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)).into());
        Self { listen, token_file: None, token: Secret::default() }
    }
}
