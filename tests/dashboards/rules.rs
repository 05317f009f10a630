//! The rules for Prometheus, by `promtool`.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::files::repository;
use crate::support::{Missing, require};

const FOLDER: &str = "dashboards/prometheus";

fn promtool(folder: &Path, arguments: &[&str]) -> Result<(), Missing> {
    let missing = |_| Missing("no promtool: install it (Debian: apt-get install prometheus)".to_owned());
    let checked = Command::new("promtool").args(arguments).current_dir(folder).output().map_err(missing)?;
    let said = [checked.stdout, checked.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(checked.status.success(), "{arguments:?}: {said}");
    Ok(())
}

#[test]
fn rules_and_configuration_are_accepted() {
    let folder = repository(FOLDER);
    let Some(()) = require(promtool(&folder, &["check", "rules", "rules.yml"])) else { return };
    require(promtool(&folder, &["check", "config", "scrape.yaml"]));
}

#[test]
fn rules_fire_when_they_should_and_not_otherwise() {
    // The tests name the rules as a file beside them, wherever the repository is.
    let folder = TempDir::new().unwrap();
    fs::copy(repository(FOLDER).join("rules.yml"), folder.path().join("rules.yml")).unwrap();
    fs::copy(repository("tests/dashboards/rules_test.yaml"), folder.path().join("rules_test.yaml")).unwrap();
    require(promtool(folder.path(), &["test", "rules", "rules_test.yaml"]));
}

#[test]
fn every_alert_is_tested_both_ways() {
    let rules = fs::read_to_string(repository(FOLDER).join("rules.yml")).unwrap();
    let tests = fs::read_to_string(repository("tests/dashboards/rules_test.yaml")).unwrap();
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 9, "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname=\"{alert}\", alertstate=\"firing\"")), "{alert} is not tested");
    }
}
