//! The guide's examples with TLS and SASL/SCRAM run with a real broker that requires both.

use std::fs;

use metrics::counter;
use quipu_testkit::{Cluster, DEADLINE, Kafka, Outsider, Process, SecureKafka, eventually, require};

use crate::QUIPU;
use crate::book::chapter;

// The test below compares this file with the guide.
include!("over_tls.rs");

#[test]
fn an_aggregator_and_a_reporter_connect_as_printed() {
    let printed = chapter("reporter").blocks_of("rust,no_run");
    assert!(printed.iter().any(|block| block == include_str!("over_tls.rs")), "the guide has another example");
    let Some(kafka) = require(Kafka::start_secure()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let password = path("password");
    fs::write(&password, SecureKafka::PASSWORD).unwrap();
    let blocks = chapter("production").blocks_of("toml");
    let configuration = blocks.iter().find(|block| block.contains("sasl_ssl")).unwrap();
    let mut here = configuration.clone();
    for (printed, actual) in [
        ("kafka-1:9093,kafka-2:9093", kafka.address()),
        ("/etc/ssl/certs/ca-certificates.crt", kafka.ca()),
        ("/run/secrets/kafka-password", &password),
    ] {
        assert!(here.contains(printed), "{printed}: {configuration}");
        here = here.replace(printed, actual);
    }
    fs::write(path("quipu.toml"), here).unwrap();
    let mut command = QUIPU.command();
    command.args(["aggregate", "--config", &path("quipu.toml"), "--http", "off"]).current_dir(folder.path());
    let aggregator = Process::spawn(command, "");
    let cluster = Cluster::new(kafka.plain());
    eventually("the topics", || {
        assert!(!aggregator.has_ended(), "{}", aggregator.stderr_so_far());
        cluster.topics().contains_key("metrics-agg").then_some(())
    });

    let reporter = report_over_tls(kafka.address(), SecureKafka::PASSWORD, kafka.ca()).unwrap();
    counter!("orders", "shop" => "berlin").increment(7);
    reporter.flush(DEADLINE).unwrap();
    Outsider::new(&cluster, "metrics-agg").until(&[(r#"orders{shop="berlin"}"#, 7)]);
    reporter.shutdown(DEADLINE).unwrap();
    aggregator.signal("TERM");
    assert_eq!(aggregator.finish().status.code(), Some(0));
}
