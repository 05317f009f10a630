use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secret::Secret;
use crate::template::Template;
use crate::text::duration;

/// The most lines in a request: so many aggregates are read, written and committed together.
pub const MAX_BATCH: usize = 5000;
const DEFAULT_SETTLE: Duration = Duration::from_secs(5);

/// Where totals are written to: a consumer of the aggregates' topic with a position of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// What its metrics are labelled with; its consumer group is `<application_id>-sink-<name>`.
    pub name: String,
    /// What kind of target it writes to; the keys below are each for some of them.
    #[serde(rename = "type")]
    pub kind: SinkType,
    /// InfluxDB: where it answers, such as `http://localhost:8086`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// InfluxDB, v2 API: the organization. Default empty, as for VictoriaMetrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// InfluxDB, v2 API: the bucket. A sink has either a bucket or a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// InfluxDB, v1 API: the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// InfluxDB, v1 API: the retention policy. Default: the database's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<String>,
    /// InfluxDB, v1 API: the user. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// InfluxDB: the file that holds the token (v2) or the password (v1); one newline at its end is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// InfluxDB: the variable of the environment that holds it, in the place of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_variable: Option<String>,
    /// InfluxDB: the certificates of CAs to trust besides the system's, a file in PEM. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// InfluxDB: the most lines in a request. Default 5000, which is also the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// InfluxDB: whether requests are compressed. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gzip: Option<bool>,
    /// Graphite: `host:port` of the plaintext listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Graphite: how series are named. Default `quipu.{name}.{labels}`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "template")]
    pub template: Option<Template>,
    /// Graphite: whether labels become tags; `{labels}` of the template is left out then. Default false.
    #[serde(default)]
    pub tags: bool,
    /// Graphite: how long after a write the position waits for the connection to hold. Default 5 s.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "settle")]
    pub settle: Option<Duration>,
    /// How long the target may take to answer (InfluxDB) or to take bytes (Graphite). Default 10 s.
    #[serde(default = "default_timeout", with = "duration")]
    pub timeout: Duration,
    #[serde(skip)]
    pub(super) secret: Secret,
}

/// What kind of target a sink writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkType {
    /// InfluxDB 1, 2, 3, and what speaks its protocol, such as VictoriaMetrics.
    Influxdb,
    /// Carbon and its relays.
    Graphite,
    /// A line of JSON for each aggregate on standard output.
    Stdout,
}

impl Sink {
    /// A sink to standard output.
    #[must_use]
    pub fn stdout(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: SinkType::Stdout,
            url: None,
            org: None,
            bucket: None,
            database: None,
            retention_policy: None,
            user: None,
            secret_file: None,
            secret_variable: None,
            ca_file: None,
            batch: None,
            gzip: None,
            address: None,
            template: None,
            tags: false,
            settle: None,
            timeout: default_timeout(),
            secret: Secret::default(),
        }
    }

    /// Sets what has a default and only this type has, so that it is shown.
    pub(super) fn set_defaults(&mut self) {
        match self.kind {
            SinkType::Influxdb => (self.batch, self.gzip) = (Some(self.batch()), Some(self.gzip())),
            SinkType::Graphite => self.settle = Some(self.settle()),
            SinkType::Stdout => {}
        }
    }

    /// InfluxDB: the most lines in a request.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch.unwrap_or(MAX_BATCH)
    }

    /// InfluxDB: whether requests are compressed.
    #[must_use]
    pub fn gzip(&self) -> bool {
        self.gzip.unwrap_or(true)
    }

    /// Graphite: how long after a write the position waits.
    #[must_use]
    pub fn settle(&self) -> Duration {
        self.settle.unwrap_or(DEFAULT_SETTLE)
    }

    /// Its consumer group.
    #[must_use]
    pub fn group(&self, application_id: &str) -> String {
        format!("{application_id}-sink-{}", self.name)
    }

    /// The token or the password that was in the file or the variable when the configuration was loaded.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.secret.0.as_deref()
    }
}

fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

/// A duration that may be absent, as text.
mod settle {
    use super::{Deserializer, Duration, Serializer, duration};

    #[expect(clippy::ref_option, reason = "the signature is that which serde calls")]
    pub(super) fn serialize<S: Serializer>(settle: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match settle {
            Some(settle) => duration::serialize(settle, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(deserializer).map(Some)
    }
}

/// A template as text.
mod template {
    use super::{Deserialize, Deserializer, Serializer, Template};

    #[expect(clippy::ref_option, reason = "the signature is that which serde calls")]
    pub(super) fn serialize<S: Serializer>(template: &Option<Template>, serializer: S) -> Result<S::Ok, S::Error> {
        match template {
            Some(template) => serializer.collect_str(template),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Template>, D::Error> {
        String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
    }
}
