//! The services of the compose file.

use quipu_testkit::{Process, python, require};
use serde_json::Value;

use crate::file::{Compose, read, root, text};

/// Services that run to completion, and the others of the experiment, which no service depends on.
const JOBS: [&str; 4] = ["app-1", "app-2", "demo-topic", "producer"];

#[test]
fn the_file_is_valid_by_the_published_schema() {
    let Some(mut command) = require(python("check-jsonschema")) else { return };
    command.args(["--builtin-schema", "vendor.compose-spec"]).arg(root("docker-compose.yml"));
    let finished = Process::spawn(command, "").finish();
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
}

#[test]
fn every_variable_is_set_and_every_setting_is_used() {
    let Some(compose) = require(Compose::read()) else { return };
    let set: Vec<_> = compose.variables.keys().collect();
    let named: Vec<_> = compose.named.iter().collect();
    assert_eq!(set, named);
}

#[test]
fn the_versions_are_pinned_and_are_those_of_the_tests() {
    let Some(compose) = require(Compose::read()) else { return };
    for (name, service) in compose.services() {
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: {image} has no version"));
        assert!(tag.contains('.') && tag.contains(|c: char| c.is_ascii_digit()), "{name}: {image}");
    }
    assert!(
        read("tests/servers/kafka-pom.xml")
            .contains(&format!("<kafka.version>{}<", compose.variables["KAFKA_VERSION"]))
    );
    assert_eq!(compose.variables["AGGREGATOR_VERSION"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn mounted_files_exist_and_are_read_only() {
    let Some(compose) = require(Compose::read()) else { return };
    let declared = compose.document["volumes"].as_object().unwrap();
    let mut used = Vec::new();
    for (name, service) in compose.services() {
        for volume in service["volumes"].as_array().into_iter().flatten().map(text) {
            let (source, target) = volume.split_once(':').unwrap();
            if let Some(path) = source.strip_prefix("./") {
                assert!(root(path).exists(), "{name}: there is no {path}");
                assert!(target.ends_with(":ro"), "{name}: {volume}");
            } else {
                assert!(declared.contains_key(source), "{name}: {source} is not declared");
                used.push(source.to_owned());
            }
        }
    }
    used.sort();
    used.dedup();
    assert_eq!(declared.keys().cloned().collect::<Vec<_>>(), used);
}

#[test]
fn nothing_is_reachable_from_other_machines() {
    let Some(compose) = require(Compose::read()) else { return };
    for (name, service) in compose.services() {
        for port in service["ports"].as_array().into_iter().flatten().map(text) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        for key in ["network_mode", "privileged"] {
            assert_eq!(service[key], Value::Null, "{name}: {key}");
        }
    }
}

#[test]
fn every_service_has_a_memory_limit_a_health_check_and_its_dependencies() {
    let Some(compose) = require(Compose::read()) else { return };
    for (name, service) in compose.services() {
        assert!(service["mem_limit"].is_string(), "{name} has no memory limit");
        let is_job = JOBS.contains(&name.as_str());
        assert_eq!(is_job, service["profiles"] == serde_json::json!(["demo"]), "{name}");
        if !is_job {
            let check = &service["healthcheck"];
            assert!(check["test"].is_array() || check["test"].is_string(), "{name} has no check");
            assert!(check["interval"].is_string() && check["timeout"].is_string(), "{name}");
            assert_eq!(service["restart"], "unless-stopped", "{name}");
        }
        for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
            let condition = if needed == "demo-topic" { "service_completed_successfully" } else { "service_healthy" };
            assert_eq!(how["condition"], condition, "{name}: {needed}");
            assert!(!compose.service(needed).is_null(), "{name}: {needed}");
        }
    }
}
