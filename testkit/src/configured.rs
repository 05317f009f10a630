//! An aggregator with a configuration file, and assertions on its totals.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Stdio};

use quipu_broker::EmbeddedBroker;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::http::{encode, request};
use crate::process::Quipu;
use crate::waiting::{DEADLINE, eventually};

/// The content of the file that replaces `TOKEN` in a configuration.
pub const TOKEN: &str = "hunter2";

/// The setting that the embedded broker needs, because it has no isolation of transactions.
pub const EMBEDDED: &str = "processing_guarantee = 'at_least_once'";

pub fn broker() -> EmbeddedBroker {
    let broker = EmbeddedBroker::start().unwrap();
    for topic in ["metrics", "metrics-agg", "metrics-state", "metrics-dlq"] {
        broker.create_topic(topic, 1).unwrap();
    }
    broker
}

/// A running `quipu aggregate`; dropping it kills it.
pub struct Aggregator {
    brokers: String,
    child: Child,
    pub address: String,
    _files: (NamedTempFile, NamedTempFile, TempDir),
}

impl Aggregator {
    /// Starts an aggregator with additional lines at the top and at the end of its configuration.
    pub fn start(quipu: Quipu, brokers: &str, top: &str, more: &str) -> Self {
        let [mut config, log] = [(); 2].map(|()| NamedTempFile::new().unwrap());
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let more = more.replace("TOKEN", folder.path().join("token").to_str().unwrap());
        write!(
            config,
            "commit_interval = '100ms'\nstate.store = 'memory'\n{top}\n[kafka]\nbrokers = '{brokers}'\n[kafka.properties]\nfetch.wait.max.ms = 20\n{more}\n\
             [[audit]]\nname = 'auth'\nsent = 'records_sent'\nprocessed = 'records_processed'\n"
        )
        .unwrap();
        let mut command = quipu.command();
        command.args(["aggregate", "--http", "127.0.0.1:0", "--config"]).arg(config.path()).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(log.reopen().unwrap()).spawn().unwrap();
        let address = eventually("the HTTP address", || {
            let logged = fs::read_to_string(&log).unwrap();
            let line = logged.lines().find(|line| line.contains("serving HTTP"))?;
            Some(line.split_once("address=")?.1.split_whitespace().next()?.to_owned())
        });
        Self { brokers: brokers.to_owned(), child, address, _files: (config, log, folder) }
    }

    /// Writes plain counters to `metrics`: key, name, labels as JSON, count.
    pub fn count(&self, counters: &[(&str, &str, &str, u64)]) {
        count(&self.brokers, counters);
    }

    /// Waits until the query API returns a total above zero for a series.
    #[track_caller]
    pub fn expect_some(&self, series: &str) {
        let path = format!("/api/v1/totals?match={}", encode(series));
        eventually(series, || {
            let (_, body) = request("GET", &self.address, &path, "").ok()?;
            let answer: Value = serde_json::from_str(&body).ok()?;
            (answer["totals"][0]["count"].as_u64()? > 0).then_some(())
        });
    }

    /// Waits until the query API returns this total for a series.
    #[track_caller]
    pub fn expect_total(&self, series: &str, total: u64) {
        let path = format!("/api/v1/totals?match={}", encode(series));
        eventually("the total", || {
            let (status, body) = request("GET", &self.address, &path, "").ok()?;
            let answer: Value = serde_json::from_str(&body).ok()?;
            (status == 200 && answer["totals"][0]["count"] == total).then_some(())
        });
    }
}

/// Writes plain counters: key, name, labels as JSON, count.
pub fn count(brokers: &str, counters: &[(&str, &str, &str, u64)]) {
    let mut config = ClientConfig::new();
    let producer: BaseProducer = config.set("bootstrap.servers", brokers).create().unwrap();
    for (key, name, labels, count) in counters {
        let value = format!(r#"{{"name":"{name}","labels":{labels},"count":{count}}}"#);
        producer.send(BaseRecord::to("metrics").key(*key).payload(&value)).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
}

impl Drop for Aggregator {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
