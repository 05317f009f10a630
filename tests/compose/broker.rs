//! The broker's settings of the compose file, with a real broker on ports of this machine.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use quipu_testkit::{Cluster, DEADLINE, Kafka, Process, eventually, require};
use rdkafka::message::Message as _;
use rdkafka::producer::Producer as _;

use crate::file::{Compose, root};

#[test]
fn a_broker_with_these_settings_serves_the_stack_and_this_machine() {
    // The shared broker is not used here; if it can be started, Kafka's jars are available.
    let (Some(compose), Some(_)) = (require(Compose::read()), require(Kafka::shared())) else { return };
    let folder = tempfile::tempdir().unwrap();
    let [stack, controller, host] = free_ports();
    let mut settings = Vec::new();
    let mut cluster_id = String::new();
    for (name, value) in compose.environment("kafka") {
        match name.strip_prefix("KAFKA_") {
            Some("HEAP_OPTS") => {}
            Some("LOG_DIRS") => settings.push(format!("log.dirs={}", folder.path().join("data").display())),
            // The image translates the variables in the same way.
            Some(name) => {
                let value = value
                    .replace("STACK://:9092", &format!("STACK://127.0.0.1:{stack}"))
                    .replace("CONTROLLER://:9093", &format!("CONTROLLER://127.0.0.1:{controller}"))
                    .replace("HOST://:19092", &format!("HOST://127.0.0.1:{host}"))
                    .replace("kafka:9092", &format!("127.0.0.1:{stack}"))
                    .replace("kafka:9093", &format!("127.0.0.1:{controller}"))
                    .replace(&format!("localhost:{}", compose.variables["KAFKA_PORT"]), &format!("127.0.0.1:{host}"));
                assert!(!value.contains("kafka"), "{name}: {value}");
                settings.push(format!("{}={value}", name.to_lowercase().replace('_', ".")));
            }
            None => {
                assert_eq!(name, "CLUSTER_ID");
                cluster_id = value;
            }
        }
    }
    let file = folder.path().join("server.properties");
    fs::write(&file, settings.join("\n")).unwrap();
    let file = file.to_str().unwrap();
    let formatted =
        java(&["kafka.tools.StorageTool", "format", "--cluster-id", &cluster_id, "--config", file]).finish();
    assert!(formatted.status.success(), "{}{}", formatted.stdout, formatted.stderr);
    let broker = java(&["kafka.Kafka", file]);

    let (stack, host) = (format!("127.0.0.1:{stack}"), format!("127.0.0.1:{host}"));
    eventually("the broker to answer", || {
        assert!(!broker.has_ended(), "{}", broker.stderr_so_far());
        std::net::TcpStream::connect(&host).ok()
    });
    let (within, outside) = (Cluster::new(&stack), Cluster::new(&host));
    let topic = outside.create_topic("cords", 1, &[]);
    // A single broker must be configured so that it can hold the transaction log.
    let producer = within.producer(&[("transactional.id", "quipu-0")]);
    producer.init_transactions(DEADLINE).unwrap();
    within.produce(&topic, [(Some("app-1"), Some("one"))]);
    let read = outside.read_to_end(&topic);
    assert_eq!(read.iter().map(|record| record.payload().unwrap()).collect::<Vec<_>>(), [b"one"]);
    assert!(!outside.topics().contains_key("metrics"), "a request for metadata created a topic");
}

/// Runs a main class of Kafka's jars.
fn java(arguments: &[&str]) -> Process {
    let fetched = Command::new(root("tests/servers/kafka")).arg("fetch").output().unwrap();
    let jars = format!("{}/*", String::from_utf8(fetched.stdout).unwrap().trim());
    let mut command = Command::new("java");
    command.args(["-Xmx384m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", &jars]).args(arguments);
    Process::spawn(command, "")
}

fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
