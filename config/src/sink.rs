mod graphite;
mod influxdb;
mod keys;
mod read;
mod section;

use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

pub use graphite::Graphite;
pub use influxdb::{Influxdb, InfluxdbApi, InfluxdbConnection, InfluxdbV1, InfluxdbV2, MAX_BATCH};
pub(crate) use read::read;

use crate::text::duration;

/// How long a target may take to answer (InfluxDB) or to accept bytes (Graphite), if the sink does not set it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// A consumer of the aggregates' topic that copies the totals to a target. Each sink has a position of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sink {
    /// The label of the sink's metrics. The sink's consumer group is `<application_id>-sink-<name>`.
    pub name: String,
    /// The kind of the target, with the options of this kind.
    #[serde(flatten)]
    pub options: SinkOptions,
    /// How long the target may take to answer (InfluxDB) or to accept bytes (Graphite). Default 10 s.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

/// The target of a sink, with the options of its kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum SinkOptions {
    /// InfluxDB 1, 2 and 3, and servers with the same API, such as VictoriaMetrics.
    Influxdb(Influxdb),
    /// Carbon and its relays.
    Graphite(Graphite),
    /// A line of JSON for each aggregate on standard output.
    Stdout,
}

/// The key `type` of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkType {
    /// See [`SinkOptions::Influxdb`].
    Influxdb,
    /// See [`SinkOptions::Graphite`].
    Graphite,
    /// See [`SinkOptions::Stdout`].
    Stdout,
}

impl Sink {
    /// A sink that writes to standard output.
    #[must_use]
    pub fn stdout(name: impl Into<String>) -> Self {
        Self { name: name.into(), options: SinkOptions::Stdout, timeout: DEFAULT_TIMEOUT }
    }

    /// The kind of the sink's target.
    #[must_use]
    pub fn kind(&self) -> SinkType {
        match self.options {
            SinkOptions::Influxdb(_) => SinkType::Influxdb,
            SinkOptions::Graphite(_) => SinkType::Graphite,
            SinkOptions::Stdout => SinkType::Stdout,
        }
    }

    /// The sink's consumer group.
    #[must_use]
    pub fn group(&self, application_id: &str) -> String {
        format!("{application_id}-sink-{}", self.name)
    }
}

/// Accepts a list of anything and returns no sink. [`read()`] reads the elements: which keys are valid depends on the
/// key `type`, and a derived `Deserialize` of a tagged enum loses the places in the file.
pub(crate) fn postpone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Sink>, D::Error> {
    Vec::<IgnoredAny>::deserialize(deserializer).map(|_| Vec::new())
}
