use std::time::Duration;

use quipu_broker::EmbeddedBroker;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

pub const RUN: &str = "01920000-0000-7000-8000-000000000001";
pub const RESTARTED: &str = "01920000-0000-7000-8000-000000000002";

/// The configuration of an audit named `all`, which compares `sent` with `done`.
pub const AUDIT: &str = "[[audit]]\nname = 'all'\nsent = 'sent'\nprocessed = 'done'\n";

/// An embedded broker with the four topics, and a producer that plays the instances of a fleet.
pub struct Fleet {
    pub broker: EmbeddedBroker,
    pub producer: BaseProducer,
}

impl Fleet {
    pub fn start() -> Self {
        let broker = EmbeddedBroker::start().expect("a broker");
        for topic in ["metrics", "metrics-agg", "metrics-state", "metrics-dlq"] {
            broker.create_topic(topic, 1).expect("a topic");
        }
        let producer =
            ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().expect("a producer");
        Self { broker, producer }
    }

    /// The configuration of an aggregator with short intervals.
    pub fn configuration(&self) -> String {
        // The embedded broker accepts transactions but does not isolate them.
        format!(
            "commit_interval = '50ms'\nprocessing_guarantee = 'at_least_once'\nhttp.listen = 'off'\n\
             state.store = 'memory'\n[kafka]\nbrokers = '{}'\nproperties.fetch.wait.max.ms = 10\n",
            self.broker.bootstrap_servers()
        )
    }

    /// The same configuration with the audit [`AUDIT`].
    pub fn audited(&self) -> String {
        self.configuration() + AUDIT
    }

    pub fn send(&self, topic: &str, key: Option<&str>, value: Option<&[u8]>) {
        let mut record = BaseRecord::<str, [u8]>::to(topic);
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(value) = value {
            record = record.payload(value);
        }
        self.producer.send(record).map_err(|(error, _)| error).expect("sent");
        self.producer.flush(Duration::from_secs(10)).expect("delivered");
    }

    pub fn count(&self, key: &str, name: &str, count: u64) {
        self.send("metrics", Some(key), Some(format!(r#"{{"name":"{name}","count":{count}}}"#).as_bytes()));
    }

    pub fn report(&self, instance: &str, run: &str, seq: u64, is_final: bool, counters: &str) {
        let value = format!(
            r#"{{"v":1,"instance":"{instance}","run":"{run}","at":1,"seq":{seq},"interval_ms":1000,"final":{is_final},"counters":[{counters}]}}"#
        );
        self.send("metrics", Some(&format!("{instance}/{run}")), Some(value.as_bytes()));
    }
}
