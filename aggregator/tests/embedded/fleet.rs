use std::time::Duration;

use quipu_broker::EmbeddedBroker;
use quipu_config::{Audit, Config, ProcessingGuarantee, StoreKind};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

pub(crate) const RUN: &str = "01920000-0000-7000-8000-000000000001";
pub(crate) const RESTARTED: &str = "01920000-0000-7000-8000-000000000002";

/// An embedded broker with the four topics, and what the instances of a fleet send it.
pub(crate) struct Fleet {
    pub(crate) broker: EmbeddedBroker,
    pub(crate) producer: BaseProducer,
}

impl Fleet {
    pub(crate) fn start() -> Self {
        let broker = EmbeddedBroker::start().expect("a broker");
        for topic in ["metrics", "metrics-agg", "metrics-state", "metrics-dlq"] {
            broker.create_topic(topic, 1).expect("a topic");
        }
        let producer =
            ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create().expect("a producer");
        Self { broker, producer }
    }

    /// Of an aggregator that is quick to answer.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config { commit_interval: Duration::from_millis(50), ..Config::default() };
        // The embedded broker answers transactions and does not isolate them.
        config.processing_guarantee = ProcessingGuarantee::AtLeastOnce;
        config.kafka.brokers = self.broker.bootstrap_servers();
        config.kafka.properties.insert("fetch.wait.max.ms", "10");
        config.http.listen = None;
        config.state.store = StoreKind::Memory;
        config
    }

    /// And that compares `sent` with `done`.
    pub(crate) fn audited(&self) -> Config {
        let mut config = self.config();
        config.audits = vec![Audit {
            name: "all".to_owned(),
            sent: "sent".parse().expect("a selector"),
            processed: "done".parse().expect("a selector"),
        }];
        config
    }

    pub(crate) fn send(&self, topic: &str, key: Option<&str>, value: Option<&[u8]>) {
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

    pub(crate) fn count(&self, key: &str, name: &str, count: u64) {
        self.send("metrics", Some(key), Some(format!(r#"{{"name":"{name}","count":{count}}}"#).as_bytes()));
    }

    pub(crate) fn report(&self, instance: &str, run: &str, seq: u64, is_final: bool, counters: &str) {
        let value = format!(
            r#"{{"v":1,"instance":"{instance}","run":"{run}","at":1,"seq":{seq},"interval_ms":1000,"final":{is_final},"counters":[{counters}]}}"#
        );
        self.send("metrics", Some(&format!("{instance}/{run}")), Some(value.as_bytes()));
    }
}
