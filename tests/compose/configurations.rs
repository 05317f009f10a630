//! Every mounted file is checked by the program that reads it.

use std::fs;
use std::process::Command;

use quipu_testkit::{Missing, Process, require};

use crate::file::{Compose, read, root, text};
use crate::image;

/// A program of a Debian package.
fn program(name: &str, package: &str, probe: &str) -> Result<Command, Missing> {
    match Command::new(name).arg(probe).output() {
        Ok(_) => Ok(Command::new(name)),
        Err(_) => Err(Missing(format!("no {name}: install it (Debian: apt-get install {package})"))),
    }
}

#[test]
fn the_aggregator_accepts_its_configuration_and_every_host_in_it_is_a_service() {
    let Some(compose) = require(Compose::read()) else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    command
        .args(["config", "check"])
        .arg(root("docker/quipu.toml"))
        .env_clear()
        .envs(compose.environment("aggregator"));
    let finished = Process::spawn(command, "").finish();
    assert!(finished.status.success(), "{}", finished.stderr);

    for line in read("docker/quipu.toml").lines().filter(|line| !line.starts_with('#')) {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        if ["brokers", "url", "address"].contains(&key) {
            let host = value.trim_matches('"').trim_start_matches("http://").split(':').next().unwrap();
            assert!(!compose.service(host).is_null());
            assert_eq!(compose.service("aggregator")["depends_on"][host]["condition"], "service_healthy", "{host}");
        }
    }
}

/// What holds in a container of the service: its file, and the variables of the service and of the image.
#[test]
fn the_aggregator_listens_on_all_addresses_of_its_container_at_the_published_port() {
    let Some(compose) = require(Compose::read()) else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    command.args(["config", "show"]).arg(root("docker/quipu.toml")).env_clear();
    command.envs(image::environment()).envs(compose.environment("aggregator"));
    let finished = Process::spawn(command, "").finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    let published = text(&compose.service("aggregator")["ports"][0]);
    let listen = format!("listen = \"0.0.0.0:{}\"", published.rsplit(':').next().unwrap());
    assert!(finished.stdout.lines().any(|line| line == listen), "no {listen} in {}", finished.stdout);
}

#[test]
fn the_health_check_of_the_aggregator_is_a_command_of_the_binary() {
    let Some(compose) = require(Compose::read()) else { return };
    let check = &compose.service("aggregator")["healthcheck"]["test"];
    let words: Vec<_> = check.as_array().unwrap().iter().map(text).collect();
    assert_eq!(words[..2], ["CMD", "quipu"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    // Nothing listens at this address: that means bad health (exit code 1), not a wrong command line (2).
    command.args(&words[2..]).args(["--http", "127.0.0.1:1"]).env_remove("QUIPU_CONFIG");
    let finished = Process::spawn(command, "").finish();
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
}

#[test]
fn prometheus_accepts_its_configuration_and_the_rules() {
    let (Some(compose), Some(mut promtool)) =
        (require(Compose::read()), require(program("promtool", "prometheus", "--version")))
    else {
        return;
    };
    let configuration = read("docker/prometheus.yml");
    // The rules are read from the folder that is mounted.
    let mounted: Vec<_> = compose.service("prometheus")["volumes"].as_array().unwrap().iter().map(text).collect();
    let rules = mounted.iter().find_map(|volume| volume.strip_suffix(":/etc/prometheus/rules:ro")).unwrap();
    let rules = root(rules.trim_start_matches("./"));
    assert!(fs::read_dir(&rules).unwrap().count() > 0, "no rules in {}", rules.display());
    assert!(configuration.contains("- /etc/prometheus/rules/"));
    let here = configuration.replace("/etc/prometheus/rules", rules.to_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prometheus.yml");
    fs::write(&path, here).unwrap();
    promtool.args(["check", "config"]).arg(&path);
    let finished = Process::spawn(promtool, "").finish();
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);

    let target = format!("aggregator:{}", text(&compose.service("aggregator")["ports"][0]).rsplit(':').next().unwrap());
    assert_eq!(configuration.matches(&format!("targets: [\"{target}\"]")).count(), 2);
}

#[test]
fn grafana_finds_its_data_sources_and_its_home_dashboard() {
    let Some(compose) = require(Compose::read()) else { return };
    let environment = compose.environment("grafana");
    let mounts: Vec<_> = compose.service("grafana")["volumes"].as_array().unwrap().iter().map(text).collect();
    let on_this_machine = |path: &str| {
        mounts.iter().find_map(|mount| {
            let (source, target) = mount.trim_end_matches(":ro").split_once(':')?;
            Some(root(&path.replacen(target, source, 1)))
                .filter(|_| path.starts_with(target) && source.starts_with('.'))
        })
    };
    let (_, home) = environment.iter().find(|(name, _)| name.ends_with("HOME_DASHBOARD_PATH")).unwrap();
    assert!(on_this_machine(home).unwrap().is_file(), "{home}");

    let provisioning = on_this_machine("/etc/grafana/provisioning").unwrap();
    let (mut sources, mut folders) = (0, 0);
    for folder in fs::read_dir(provisioning).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            for line in fs::read_to_string(file.unwrap().path()).unwrap().lines().map(str::trim) {
                let Some((key, value)) = line.split_once(": ").filter(|_| !line.starts_with('#')) else { continue };
                if let Some(name) = value.strip_prefix('$') {
                    assert!(environment.iter().any(|(variable, _)| variable == name), "{name} is not set");
                }
                if let Some(address) = value.strip_prefix("http://") {
                    let (host, port) = address.split_once(':').unwrap();
                    let published = text(&compose.service(host)["ports"][0]);
                    assert!(published.ends_with(&format!(":{port}")), "{address}: {published}");
                    sources += 1;
                }
                if key == "path" {
                    assert!(on_this_machine(value).unwrap().is_dir(), "{value}");
                    folders += 1;
                }
            }
        }
    }
    assert_eq!((sources, folders), (3, 1));
}

#[test]
fn carbon_accepts_the_storage_schemas() {
    let Some(mut command) = require(program("validate-storage-schemas", "graphite-carbon", "/dev/null")) else {
        return;
    };
    command.arg(root("docker/storage-schemas.conf"));
    let finished = Process::spawn(command, "").finish();
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.contains("is valid"), "{}", finished.stdout);
}

/// Loads Carbon's rules of aggregation with Carbon's own code, because no program checks them. Prints each rule with
/// its settings, and whether it applies to a total of Quipu.
const LOAD_AGGREGATION: &str = "
import sys
from carbon.conf import settings
settings['CONF_DIR'], settings['LOCAL_DATA_DIR'] = sys.argv[1:]
from carbon import database, state, storage
state.database = database.WhisperDatabase(settings)
for rule in storage.loadAggregationSchemas():
    print(rule.name, *rule.archives, bool(rule.test('quipu.records.topic.auth')))
";

#[test]
fn carbon_accepts_the_storage_aggregation() {
    // /usr/bin/python3 has Debian's packages, even if another Python comes first in PATH; -I isolates it from the
    // current folder.
    let carbon = || {
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-I", "-c"]);
        python
    };
    let found = carbon().arg("import carbon").output().is_ok_and(|found| found.status.success());
    let missing = || Missing("no carbon: install it (Debian: apt-get install graphite-carbon)".to_owned());
    let Some(()) = require(found.then_some(()).ok_or_else(missing)) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = carbon();
    command.arg(LOAD_AGGREGATION).arg(root("docker")).arg(folder.path());
    let finished = Process::spawn(command, "").finish();
    assert!(finished.status.success(), "{}", finished.stderr);
    assert!(finished.stdout.starts_with("totals 0.0 last True\n"), "{}{}", finished.stdout, finished.stderr);
}

#[test]
fn the_script_of_the_experiment_is_valid_shell() {
    let checked = Command::new("sh").arg("-n").arg(root("docker/demo.sh")).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
