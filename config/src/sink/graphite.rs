use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::read::checked;
use crate::template::Template;
use crate::text::duration;

/// The options of a sink to Graphite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graphite {
    /// `host:port` of the plaintext listener.
    #[serde(deserialize_with = "host_and_port")]
    pub address: String,
    /// How series are named. Default `quipu.{name}.{labels}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// Whether labels become tags; then the name has no `{labels}`. Default false.
    #[serde(default)]
    pub tags: bool,
    /// How long a connection must stay open after a write before the position is committed. Default 5 s.
    #[serde(default = "default_settle", with = "duration")]
    pub settle: Duration,
}

fn default_settle() -> Duration {
    Duration::from_secs(5)
}

fn host_and_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_host = |host: &str| !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control());
    checked(
        deserializer,
        |address: &String| address.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && is_port(port)),
        "must be host:port, such as \"localhost:2003\"",
    )
}
