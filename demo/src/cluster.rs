//! Connects to the user's cluster in the same way as the aggregator.

use std::path::Path;

use anyhow::{Context as _, Result};
use quipu_config::{Config, Flag};
use rdkafka::ClientConfig;

/// Loads the aggregator's configuration from its file and environment.
pub(crate) fn config(file: Option<&Path>, brokers: Option<&str>) -> Result<Config> {
    let flag = |brokers: &str| Flag {
        name: "--brokers".to_owned(),
        key: "kafka.brokers".to_owned(),
        value: brokers.to_owned(),
    };
    Config::load(file, std::env::vars_os(), brokers.map(flag)).context("the configuration is wrong")
}

/// The Kafka properties of the configuration, without the brokers' addresses and the client's name.
pub(crate) fn properties(config: &Config) -> Vec<(String, String)> {
    quipu_kafka::without_identity(config.client_properties())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The configuration that every Kafka client of the experiment starts from.
pub(crate) fn client_config(brokers: &str, name: &str, properties: &[(String, String)]) -> ClientConfig {
    let properties = properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut config = quipu_kafka::client_config(properties);
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", name)
        .set("allow.auto.create.topics", "false")
        .set("log.connection.close", "false");
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_has_the_users_properties_and_a_name_of_its_own() {
        let mut user = Config::default();
        user.kafka.properties.insert("security.protocol", "ssl");
        let client = client_config("kafka:9092", "app-1", &properties(&user));
        let value = |name| client.get(name);
        assert_eq!(value("security.protocol"), Some("ssl"));
        assert_eq!((value("bootstrap.servers"), value("client.id")), (Some("kafka:9092"), Some("app-1")));
    }
}
