//! The services of the profile `demo`, started on this machine as the container engine would start them.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use quipu_testkit::{Kafka, Process, eventually, require};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;

use crate::file::{Compose, root, text};

const RECORDS: u64 = 60_000;

#[test]
fn the_experiment_ends_with_the_right_number_of_duplicates() {
    let (Some(compose), Some(kafka)) = (require(Compose::read()), require(Kafka::start())) else { return };
    create_topic(&compose, kafka.bootstrap());
    let aggregator = aggregator(&compose, kafka.bootstrap());
    let folder = tempfile::tempdir().unwrap();
    let start = |name: &str| service(&compose, name, kafka.bootstrap(), folder.path());

    let (producer, app_1, app_2) = (start("producer"), start("app-1"), start("app-2"));
    let finished = producer.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    let finished = app_2.finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    let left = finished.stdout.lines().find_map(|line| line.strip_prefix("left ")?.parse::<i64>().ok());
    let left = left.filter(|left| *left > 0).unwrap_or_else(|| panic!("app-2 left nothing: {}", finished.stdout));
    eventually("app-1 to process what app-2 left", || audit(&aggregator).filter(|delta| *delta >= left));
    // app-1 ends cleanly: everything is counted and every id is written.
    app_1.signal("TERM");
    let finished = app_1.finish();
    assert!(finished.status.success(), "{}", finished.stderr);

    let ids = ids(folder.path());
    let distinct = ids.iter().collect::<HashSet<_>>().len();
    assert_eq!(distinct as u64, RECORDS);
    let duplicates = i64::try_from(ids.len() - distinct).unwrap();
    eventually("the audit to agree with the ids", || audit(&aggregator).filter(|delta| *delta == duplicates));
}

/// The topic that `demo-topic` creates.
fn create_topic(compose: &Compose, bootstrap: &str) {
    let command = text(&compose.service("demo-topic")["command"]);
    let words: Vec<_> = command.split_whitespace().collect();
    let value = |flag: &str| words[words.iter().position(|word| *word == flag).unwrap() + 1];
    let partitions = value("--partitions").parse().unwrap();
    let topic = NewTopic::new(value("--topic"), partitions, TopicReplication::Fixed(1));
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap().remove(0).unwrap();
}

/// Starts the aggregator with the mounted configuration, without its sinks.
fn aggregator(compose: &Compose, bootstrap: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    command
        .args(["aggregate", "--no-sinks", "--brokers", bootstrap, "--http", "127.0.0.1:0"])
        .args(["--set", "state.store=memory", "--config"])
        .arg(root("docker/quipu.toml"))
        .env_clear()
        .envs(compose.environment("aggregator").into_iter().filter(|(name, _)| name != "QUIPU_CONFIG"));
    let aggregator = Process::spawn(command, "");
    eventually("the aggregator to be ready", || get(&aggregator, "/readyz"));
    // The command of the health check.
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    command.args(["health", "--ready", "--http", &address(&aggregator).unwrap()]).env_clear();
    let health = Process::spawn(command, "").finish();
    assert_eq!((health.status.code(), health.stdout.as_str()), (Some(0), "ready\n"), "{}", health.stderr);
    aggregator
}

/// Runs a service's entrypoint and command with its environment.
fn service(compose: &Compose, name: &str, bootstrap: &str, folder: &Path) -> Process {
    let service = compose.service(name);
    let words = |key: &str| service[key].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    let (entrypoint, arguments) = (words("entrypoint"), words("command"));
    assert_eq!(service["volumes"], serde_json::json!(["./docker/demo.sh:/etc/quipu/demo.sh:ro"]));
    assert_eq!(entrypoint, ["sh", "/etc/quipu/demo.sh"]);
    let binaries = Path::new(env!("CARGO_BIN_EXE_quipu")).parent().unwrap().to_str().unwrap();
    let records = RECORDS.to_string();
    let overrides =
        [("BROKERS", bootstrap), ("RECORDS", &records), ("RATE", "2500"), ("JOIN_SECONDS", "2"), ("STAY_SECONDS", "8")];
    let environment = compose.environment(name);
    for (name, _) in overrides {
        assert!(environment.iter().any(|(variable, _)| variable == name), "{name}");
    }
    let mut command = Command::new("sh");
    command.arg(root("docker/demo.sh")).args(arguments).env_clear().envs(environment).envs(overrides);
    command.env("PATH", format!("{binaries}:{}", env::var("PATH").unwrap())).env("TMPDIR", folder);
    Process::spawn(command, "")
}

/// The delta of the audit.
fn audit(aggregator: &Process) -> Option<i64> {
    let answer: Value = serde_json::from_str(&get(aggregator, "/api/v1/audit")?).unwrap();
    answer["audits"][0]["delta"].as_i64()
}

fn get(aggregator: &Process, path: &str) -> Option<String> {
    assert!(!aggregator.has_ended(), "{}", aggregator.stderr_so_far());
    let (status, body) = quipu_testkit::get(&address(aggregator)?, path)?;
    (status == 200).then_some(body)
}

/// The HTTP address from the log.
fn address(aggregator: &Process) -> Option<String> {
    let log = aggregator.stderr_so_far();
    let address = log.lines().find(|line| line.contains("serving HTTP"))?.split("address=").nth(1)?;
    Some(address.split_whitespace().next()?.to_owned())
}

/// The ids that the consumers have written so far, 8 bytes each.
fn ids(folder: &Path) -> Vec<u64> {
    let mut ids = Vec::new();
    for folder in fs::read_dir(folder).unwrap() {
        for name in ["app-1.ids", "app-2.ids"] {
            let bytes = fs::read(folder.as_ref().unwrap().path().join(name)).unwrap_or_default();
            ids.extend(bytes.chunks_exact(8).map(|id| u64::from_le_bytes(id.try_into().unwrap())));
        }
    }
    ids
}
