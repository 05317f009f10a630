//! The rules for Prometheus, checked with `promtool`.

use std::fs;
use std::path::Path;
use std::process::Command;

use quipu_testkit::{Missing, require};
use tempfile::TempDir;

use crate::files::{dashboards, repository};

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

#[test]
fn every_alert_leads_to_its_chapter_of_the_guide_and_to_a_dashboard() {
    let rules = fs::read_to_string(repository(FOLDER).join("rules.yml")).unwrap();
    let page = fs::read_to_string(repository("docs/alerts.md")).unwrap();
    let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## Quipu")).collect();
    let dashboards = dashboards();
    let mut alerts = Vec::new();
    for alert in rules.split("- alert: Quipu").skip(1) {
        let name = alert.lines().next().unwrap();
        let link = |key: &str| {
            let value = alert.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
            value.unwrap_or_else(|| panic!("{name} has no {key}")).trim_matches('"')
        };
        let anchor = name.to_lowercase();
        assert_eq!(link("runbook_url"), format!("https://quipu.example/docs/alerts.md#quipu{anchor}"));
        let path = link("dashboard_url").strip_prefix("http://localhost:3000/d/").unwrap();
        let (uid, variables) = path.split_once('?').unwrap_or((path, ""));
        let dashboard = dashboards.iter().find(|dashboard| dashboard.json["uid"] == uid);
        let dashboard = dashboard.unwrap_or_else(|| panic!("{name}: there is no dashboard {uid}"));
        let known = dashboard.json["templating"]["list"].as_array().unwrap();
        for variable in variables.split('&').filter(|variable| !variable.is_empty()) {
            let variable = variable.split('=').next().unwrap().strip_prefix("var-").unwrap();
            assert!(known.iter().any(|known| known["name"] == variable), "{name}: {uid} has no variable {variable}");
        }
        alerts.push(name);
    }
    assert_eq!(alerts, headings, "the chapter has the alerts in the order of the rules, and no others");
}

/// The expressions of the tests, each with the rest of its case.
fn expected(tests: &str) -> impl Iterator<Item = (&str, &str)> {
    tests.split("expr: '").skip(1).filter_map(|case| {
        let (expression, rest) = case.split_once('\'')?;
        Some((expression, rest.split_once("exp_samples:")?.1.trim_start()))
    })
}
