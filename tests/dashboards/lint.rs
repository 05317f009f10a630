//! Rules for the dashboards beyond the types of their JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::files::{Dashboard, dashboards};

#[test]
fn every_dashboard_is_complete() {
    let dashboards = dashboards();
    let kinds = ["fleet-totals", "duplicate-audit"];
    let mut expected: BTreeSet<_> =
        kinds.iter().flat_map(|kind| ["prometheus", "influxdb", "graphite"].map(|s| format!("{kind}-{s}"))).collect();
    expected.insert("aggregator-health-prometheus".to_owned());
    let found: BTreeSet<_> = dashboards.iter().map(|dashboard| dashboard.name.clone()).collect();
    assert_eq!(found, expected);

    let problems: Vec<_> = dashboards.iter().flat_map(problems).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn problems(dashboard: &Dashboard) -> Vec<String> {
    let json = &dashboard.json;
    let mut problems = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            problems.push(format!("{}: {what}", dashboard.name));
        }
    };
    must(json["uid"] == format!("quipu-{}", dashboard.name), "the uid does not match the file's name".to_owned());
    for key in ["title", "description", "refresh"] {
        must(has_text(&json[key]), format!("no {key}"));
    }
    let variables = json["templating"]["list"].as_array().unwrap();
    let source = &variables[0];
    must(source["type"] == "datasource" && source["query"] == dashboard.source(), "no data source variable".to_owned());
    for variable in variables {
        for key in ["name", "label", "description"] {
            must(has_text(&variable[key]), format!("the variable {} has no {key}", variable["name"]));
        }
    }
    let text = json["panels"].to_string();
    for variable in variables.iter().filter(|variable| !matches!(variable["type"].as_str(), Some("adhoc"))) {
        let name = variable["name"].as_str().unwrap();
        let used = text.contains(&format!("${name}")) || text.contains(&format!("${{{name}"));
        let by_others = variables.iter().any(|other| other["query"].to_string().contains(&format!("${name}")));
        must(used || by_others, format!("the variable {name} is not used"));
    }

    let chosen = json!({"type": dashboard.source(), "uid": "${datasource}"});
    let panels = json["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    must(ids.len() == panels.len() && !ids.contains(&None), "ids are missing or not unique".to_owned());
    for (index, panel) in panels.iter().enumerate() {
        let title = &panel["title"];
        must(has_text(title), format!("the panel {} has no title", panel["id"]));
        for other in &panels[index + 1..] {
            must(!overlap(&panel["gridPos"], &other["gridPos"]), format!("{title} overlaps {}", other["title"]));
        }
        let position = &panel["gridPos"];
        must(number(position, "x") + number(position, "w") <= 24, format!("{title} is beyond the right edge"));
        if panel["type"] == "row" {
            continue;
        }
        must(has_text(&panel["description"]), format!("{title} has no description"));
        must(has_text(&panel["fieldConfig"]["defaults"]["unit"]), format!("{title} has no unit"));
        let targets = panel["targets"].as_array().unwrap();
        let letters: BTreeSet<_> = targets.iter().map(|target| target["refId"].as_str()).collect();
        must(!targets.is_empty() && letters.len() == targets.len(), format!("{title}: refIds"));
        for with_source in targets.iter().chain([panel]) {
            must(with_source["datasource"] == chosen, format!("{title} does not use the data source variable"));
        }
        for target in targets {
            must(has_good_ranges(target), format!("{title}: a range other than $__rate_interval"));
        }
    }
    for annotation in json["annotations"]["list"].as_array().unwrap() {
        let name = &annotation["name"];
        must(annotation["datasource"] == chosen, format!("{name} does not use the data source variable"));
        must(has_good_ranges(annotation), format!("{name}: a range other than $__rate_interval"));
    }
    problems
}

/// Whether the range of a PromQL query is `$__rate_interval`, which Grafana derives from the scrape interval. A shorter
/// range could contain fewer than two scrapes, and then there is no rate.
fn has_good_ranges(query: &Value) -> bool {
    let expression = query["expr"].as_str().unwrap_or_default();
    let is_rate = ["rate(", "increase("].iter().any(|function| expression.contains(function));
    let has_range = expression.contains('[');
    is_rate == has_range && (!has_range || expression.contains("[$__rate_interval]"))
}

fn has_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn number(position: &Value, key: &str) -> u64 {
    position[key].as_u64().unwrap()
}

fn overlap(a: &Value, b: &Value) -> bool {
    let apart = |at: &str, length: &str| {
        number(a, at) + number(a, length) <= number(b, at) || number(b, at) + number(b, length) <= number(a, at)
    };
    !apart("x", "w") && !apart("y", "h")
}
