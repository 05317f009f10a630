use std::time::Duration;

use quipu_kafka::set_default;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::batch::Topic;

/// The brokers, topics and groups to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOptions {
    /// The brokers, as `host:port,host:port`; `localhost:9092` by default.
    pub brokers: String,
    /// The topic of the reports; `metrics` by default.
    pub metrics_topic: String,
    /// The topic of the totals; `metrics-agg` by default.
    pub aggregates_topic: String,
    /// The aggregator's `application_id`, which is its consumer group; `quipu` by default. The groups of its sinks are
    /// named `<application_id>-sink-…`.
    pub application_id: String,
    /// Further consumer groups on the topic of the totals; none by default.
    pub sink_groups: Vec<String>,
    /// How often log ends and committed offsets are read; 2 s by default.
    pub lag_interval: Duration,
    /// librdkafka properties, such as those for TLS and SASL; none by default.
    pub properties: Vec<(String, String)>,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            metrics_topic: "metrics".to_owned(),
            aggregates_topic: "metrics-agg".to_owned(),
            application_id: "quipu".to_owned(),
            sink_groups: Vec::new(),
            lag_interval: Duration::from_secs(2),
            properties: Vec::new(),
        }
    }
}

impl SourceOptions {
    pub(super) fn topic(&self, topic: Topic) -> &str {
        match topic {
            Topic::Metrics => &self.metrics_topic,
            Topic::Aggregates => &self.aggregates_topic,
        }
    }

    /// Returns the groups that are always watched, and the topics that they consume.
    pub(super) fn groups(&self) -> Vec<(String, Topic)> {
        let aggregator = (self.application_id.clone(), Topic::Metrics);
        let named = self.sink_groups.iter().map(|group| (group.clone(), Topic::Aggregates));
        std::iter::once(aggregator).chain(named).collect()
    }

    /// Returns whether a group belongs to one of this aggregator's sinks.
    pub(super) fn is_sink(&self, group: &str) -> bool {
        let rest = group.strip_prefix(&self.application_id);
        rest.and_then(|rest| rest.strip_prefix("-sink-")).is_some_and(|name| !name.is_empty())
    }

    /// Returns the configuration that every client starts from. The user's properties can't change those that keep the
    /// source from committing offsets and creating topics.
    pub(super) fn client_config(&self) -> ClientConfig {
        let properties = self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut config = quipu_kafka::client_config(properties);
        config.set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in [
            ("client.id", "quipu-top"),
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "200"),
            ("queued.max.messages.kbytes", "16384"),
        ] {
            set_default(&mut config, name, value);
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set("allow.auto.create.topics", "false")
            .set("auto.offset.reset", "error")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed");
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_with_the_prefix_of_the_aggregator_are_its_sinks() {
        let options = SourceOptions { application_id: "quipu".to_owned(), ..SourceOptions::default() };
        assert!(options.is_sink("quipu-sink-influx"));
        for other in ["quipu", "quipu-staging", "quipu-staging-sink-influx", "quipu-sink-", "other-sink-influx"] {
            assert!(!options.is_sink(other), "{other}");
        }
    }
}
