//! The rules for Prometheus, checked with `promtool`.

use std::fs;
use std::path::Path;
use std::process::Command;

use quipu_testkit::{Missing, require};
use tempfile::TempDir;

use crate::files::repository;

const FOLDER: &str = "dashboards/prometheus";

fn promtool(folder: &Path, arguments: &[&str]) -> Result<(), Missing> {
    let missing = |_| Missing("no promtool: install it (Debian: apt-get install prometheus)".to_owned());
    let checked = Command::new("promtool").args(arguments).current_dir(folder).output().map_err(missing)?;
    let output = [checked.stdout, checked.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(checked.status.success(), "{arguments:?}: {output}");
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
    // The test file names the rules as a file in its own folder.
    let folder = TempDir::new().unwrap();
    fs::copy(repository(FOLDER).join("rules.yml"), folder.path().join("rules.yml")).unwrap();
    fs::copy(repository("tests/dashboards/rules_test.yaml"), folder.path().join("rules_test.yaml")).unwrap();
    require(promtool(folder.path(), &["test", "rules", "rules_test.yaml"]));
}

#[test]
fn every_alert_has_a_test_that_fires_and_one_that_does_not() {
    let rules = fs::read_to_string(repository(FOLDER).join("rules.yml")).unwrap();
    let tests = fs::read_to_string(repository("tests/dashboards/rules_test.yaml")).unwrap();
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 9, "{alerts:?}");
    for alert in alerts {
        let name = format!("alertname=\"{alert}\"");
        let fires = |(expression, samples): &(&str, &str)| {
            expression.contains(&name) && expression.contains("alertstate=\"firing\"") && samples.contains(&name)
        };
        assert!(expected(&tests).any(|case| fires(&case)), "no test in which {alert} fires");
        let does_not_fire =
            |(expression, samples): &(&str, &str)| expression.contains(&name) && samples.starts_with("[]");
        assert!(expected(&tests).any(|case| does_not_fire(&case)), "no test in which {alert} does not fire");
    }
}

/// The expressions of the tests, each with the rest of its case.
fn expected(tests: &str) -> impl Iterator<Item = (&str, &str)> {
    tests.split("expr: '").skip(1).filter_map(|case| {
        let (expression, rest) = case.split_once('\'')?;
        Some((expression, rest.split_once("exp_samples:")?.1.trim_start()))
    })
}
