//! A cluster of the user's, reached as the aggregator would reach it.

use std::path::Path;

use anyhow::{Context as _, Result};
use quipu_config::{Config, Flag};
use rdkafka::ClientConfig;

/// The aggregator's configuration from its file and environment.
pub(crate) fn config(file: Option<&Path>, brokers: Option<&str>) -> Result<Config> {
    let flag = |brokers: &str| Flag {
        name: "--brokers".to_owned(),
        key: "kafka.brokers".to_owned(),
        value: brokers.to_owned(),
    };
    Config::load(file, std::env::vars_os(), brokers.map(flag)).context("the configuration is wrong")
}

/// What its clients have in common, apart from whom they connect to and what they are called.
pub(crate) fn properties(config: &Config) -> Vec<(String, String)> {
    quipu_kafka::without_identity(config.client_properties())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What every Kafka client of the experiment starts from.
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
    fn what_the_user_set_reaches_every_client_under_a_name_of_its_own() {
        let mut user = Config::default();
        user.kafka.properties.insert("security.protocol", "ssl");
        let client = client_config("kafka:9092", "app-1", &properties(&user));
        let value = |name| client.get(name);
        assert_eq!(value("security.protocol"), Some("ssl"));
        assert_eq!((value("bootstrap.servers"), value("client.id")), (Some("kafka:9092"), Some("app-1")));
    }
}
