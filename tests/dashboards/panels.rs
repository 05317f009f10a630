//! Each panel's queries, with values for the variables, run on the servers that they are for.

use std::thread;
use std::time::{Duration, Instant};

use quipu_testkit::{Missing, require};
use serde_json::Value;

use crate::expected::{ANY, of_panel};
use crate::files::{Dashboard, dashboards};
use crate::filled::Filled;
use crate::query::{Found, flux, graphite, prometheus};
use crate::variables;

const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);
const VARIABLES: [(&str, &str); 13] = [
    ("__rate_interval", "5m"),
    ("aggregator", "quipu"),
    ("allowance", "0"),
    ("audit", "auth"),
    ("bucket", "quipu"),
    ("instance", ".*"),
    ("label", "topic"),
    ("prefix", "quipu"),
    ("sink", ".*"),
    ("top", "1"),
    ("value", ".*"),
    ("job", "quipu-totals"),
    ("metric", "records_processed"),
];

#[test]
fn every_panel_shows_the_expected_numbers() {
    let filled: Result<Filled, Missing> = Filled::start();
    let Some(filled) = require(filled) else { return };
    let mut problems = Vec::new();
    for dashboard in dashboards() {
        variables::check(&filled, &dashboard, &mut problems);
        for panel in dashboard.panels() {
            let title = panel["title"].as_str().unwrap();
            check(&filled, &dashboard, title, panel["targets"].as_array().unwrap(), &mut problems);
        }
        let annotations = dashboard.json["annotations"]["list"].as_array().unwrap();
        if !annotations.is_empty() {
            let targets: Vec<_> = annotations.iter().map(annotation_target).collect();
            check(&filled, &dashboard, "annotations", &targets, &mut problems);
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn annotation_target(annotation: &Value) -> Value {
    serde_json::json!({"expr": annotation["expr"], "legendFormat": annotation["titleFormat"]})
}

/// Repeats the query for a while until the result is as expected, because the aggregator's own report comes only every
/// ten seconds.
#[expect(clippy::disallowed_methods, reason = "a server can only be polled for a changed result")]
fn check(filled: &Filled, dashboard: &Dashboard, title: &str, targets: &[Value], problems: &mut Vec<String>) {
    let deadline = Instant::now() + PATIENCE;
    let mut problem = problem_of(filled, dashboard, title, targets);
    while problem.is_some() && Instant::now() < deadline {
        thread::sleep(POLL);
        problem = problem_of(filled, dashboard, title, targets);
    }
    problems.extend(problem);
}

fn problem_of(filled: &Filled, dashboard: &Dashboard, title: &str, targets: &[Value]) -> Option<String> {
    let mut found = Vec::new();
    let mut asked = Vec::new();
    for target in targets {
        let (query, answer) = ask(filled, dashboard, target);
        match answer {
            Ok(series) => found.extend(series),
            Err(why) => return Some(format!("{}: {title}: {query}: {why}", dashboard.name)),
        }
        asked.push(query);
    }
    let Some(expected) = of_panel(&dashboard.name, title) else {
        return Some(format!("{}: {title}: no expectation is listed; the query returns {found:?}", dashboard.name));
    };
    let is_named = |found: &Found, name: &str| found.name == name || name == ANY;
    let holds = found.len() == expected.len()
        && expected.iter().all(|(name, expect)| {
            found.iter().any(|found| is_named(found, name) && expect.holds(found.last, found.grown))
        });
    (!holds).then(|| {
        let asked = asked.join("\n  ");
        format!("{}: {title}: {found:#?} instead of {expected:?}, of\n  {asked}", dashboard.name)
    })
}

fn ask(filled: &Filled, dashboard: &Dashboard, target: &Value) -> (String, Result<Vec<Found>, String>) {
    let text = |key: &str| chosen(dashboard, target[key].as_str().unwrap_or_default());
    match dashboard.source() {
        "prometheus" => {
            let expression = text("expr");
            let answer = prometheus(&filled.prometheus, &expression, &text("legendFormat"));
            (expression, answer)
        }
        "graphite" => {
            let target = text("target");
            let answer = graphite(&filled.carbon, &target);
            (target, answer)
        }
        _ => {
            let query = text("query");
            let answer = flux(&filled.influxdb, &query);
            (query, answer)
        }
    }
}

/// The query with the values of the variables.
pub(crate) fn chosen(dashboard: &Dashboard, query: &str) -> String {
    let mut query = query.replace("${value:regex}", value_of(dashboard, "value"));
    for (name, _) in VARIABLES {
        let value = value_of(dashboard, name);
        query = query.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    query
}

/// The value of a variable.
pub(crate) fn value_of(dashboard: &Dashboard, name: &str) -> &'static str {
    match (name, dashboard.source()) {
        // On the health dashboard the job is that of the aggregator's own /metrics.
        ("job", _) if dashboard.name.starts_with("aggregator-health") => "quipu",
        ("metric", "prometheus") => "records_processed_total",
        ("value", "graphite") => "*",
        _ => VARIABLES.iter().find(|(variable, _)| *variable == name).unwrap().1,
    }
}
