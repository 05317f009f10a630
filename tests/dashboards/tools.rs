//! Checks with node packages: Grafana's types, and the parser of Flux.

use std::process::{Command, Output};

use quipu_testkit::{Missing, require};

use crate::files::{dashboards, repository};

/// The exit status of `tools` when the packages are not available on this machine.
const UNAVAILABLE: i32 = 3;

/// The folder of the packages.
fn packages() -> Result<String, Missing> {
    let found = Command::new(repository("tests/dashboards/tools")).output().unwrap();
    let error = String::from_utf8_lossy(&found.stderr).trim().to_owned();
    if found.status.code() == Some(UNAVAILABLE) {
        return Err(Missing(error));
    }
    assert!(found.status.success(), "{error}");
    Ok(String::from_utf8(found.stdout).unwrap().trim().to_owned())
}

/// Runs a script of this folder on the dashboards whose name ends with `end`.
fn run(script: &str, packages: Option<&str>, end: &str) -> Output {
    let files = dashboards().into_iter().filter(|dashboard| dashboard.name.ends_with(end));
    let mut command = Command::new("node");
    command.arg(repository("tests/dashboards").join(script)).args(packages);
    command.args(files.map(|dashboard| dashboard.path)).output().unwrap()
}

#[test]
fn the_json_has_grafanas_types() {
    let Some(packages) = require(packages()) else { return };
    let checked = run("schema.mjs", Some(&packages), "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn the_flux_is_valid() {
    let Some(packages) = require(packages()) else { return };
    let checked = run("flux.mjs", Some(&packages), "-influxdb");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn the_variables_keep_the_right_values_of_a_server() {
    let Some(_) = require(packages()) else { return };
    let checked = run("regexes.mjs", None, "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
