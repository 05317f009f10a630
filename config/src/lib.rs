//! The configuration: a TOML file, the environment and flags. Each of them overrides those before it.
//!
//! [`Config`] is the only list of the keys. A key that it does not have is refused, and the error has the nearest key. To
//! add a key, add a field with its default there and its description to `quipu.example.toml` (a test compares the two).
//! An absent value is written as a word (`listen = "off"`), so that every key has a default that can be shown and a
//! variable that can set it. The keys of sinks are the fields of [`Sink`] and of the [`SinkOptions`].
//!
//! The variable of a key is `QUIPU_` and its path: `QUIPU_KAFKA_BROKERS` sets `kafka.brokers`,
//! `QUIPU_KAFKA_PROPERTIES_SASL_PASSWORD` the property `sasl.password`. An empty variable counts as not set. Lists
//! (`[[audit]]`, `[[sink]]`) can be set in the file only.

mod config;
mod document;
mod environment;
mod error;
mod keys;
mod layers;
mod listen;
mod load;
mod properties;
mod secret;
mod sink;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod validate;

pub use config::{Audit, Config, Http, Kafka, Limits, ProcessingGuarantee, Retention, State, StoreKind, Topics};
pub use error::{ConfigError, Problem};
pub use listen::{InvalidAddress, ListenAddress};
pub use load::Flag;
pub use properties::Properties;
pub use sink::{
    Graphite, Influxdb, InfluxdbApi, InfluxdbConnection, InfluxdbV1, InfluxdbV2, MAX_BATCH, Sink, SinkOptions, SinkType,
};
pub use template::{Node, Template};
