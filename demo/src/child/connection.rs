//! How the programs connect to Kafka.

use std::time::Duration;

use anyhow::{Context as _, Result};
use quipu_reporter::KafkaReporter;
use rdkafka::ClientConfig;

use super::Connection;
use crate::cluster;

impl Connection {
    /// Starts the reporter of this process.
    pub(super) fn reporter(&self) -> Result<KafkaReporter> {
        const HEARTBEAT: Duration = Duration::from_secs(10);
        let mut builder = KafkaReporter::builder(&self.brokers)
            .instance(&self.instance)
            .topic(&self.metrics)
            .interval(self.report_interval)
            .heartbeat(self.report_interval.max(HEARTBEAT));
        for (name, value) in self.properties()? {
            builder = builder.property(name, value);
        }
        builder.install().context("the reporter did not start")
    }

    /// The configuration that every Kafka client of this process starts from.
    pub(super) fn client(&self) -> Result<ClientConfig> {
        Ok(cluster::client_config(&self.brokers, &self.instance, &self.properties()?))
    }

    fn properties(&self) -> Result<Vec<(String, String)>> {
        if !self.cluster {
            return Ok(Vec::new());
        }
        let config = cluster::config(self.config.as_deref(), Some(&self.brokers))?;
        Ok(cluster::properties(&config))
    }
}
