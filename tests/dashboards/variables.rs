//! The values that a dashboard's variables offer. Flux variables are only checked for validity.

use quipu_testkit::http::{encode, get_json};
use serde_json::Value;

use crate::files::Dashboard;
use crate::filled::Filled;
use crate::panels::{chosen, value_of};
use crate::query::prometheus;

/// Adds a problem for each variable that does not offer the value which the tests choose.
pub(crate) fn check(filled: &Filled, dashboard: &Dashboard, problems: &mut Vec<String>) {
    let variables = dashboard.json["templating"]["list"].as_array().unwrap();
    for variable in variables.iter().filter(|variable| variable["type"] == "query") {
        let name = variable["name"].as_str().unwrap();
        let offered = match dashboard.source() {
            "prometheus" => of_prometheus(filled, &chosen(dashboard, variable["query"]["query"].as_str().unwrap())),
            "graphite" => of_graphite(filled, &chosen(dashboard, variable["query"].as_str().unwrap())),
            _ => continue,
        };
        let wanted = value_of(dashboard, name);
        let is_offered = if wanted.contains('*') { !offered.is_empty() } else { offered.iter().any(|o| o == wanted) };
        if !is_offered {
            problems.push(format!("{}: the variable {name} offers {offered:?}, not {wanted}", dashboard.name));
        }
    }
}

/// Evaluates Grafana's variable functions for Prometheus.
fn of_prometheus(filled: &Filled, definition: &str) -> Vec<String> {
    let (function, arguments) = definition.strip_suffix(')').unwrap().split_once('(').unwrap();
    let (expression, label) = match function {
        "label_values" => arguments.rsplit_once(", ").unwrap(),
        "query_result" => (arguments, "job"),
        "label_names" => (arguments, "topic"),
        _ => panic!("not a function of Grafana's for Prometheus: {definition}"),
    };
    let found = prometheus(&filled.prometheus, expression, &format!("{{{{{label}}}}}")).unwrap();
    let values = found.into_iter().map(|found| found.name).filter(|value| !value.is_empty());
    if function == "label_names" { values.map(|_| label.to_owned()).collect() } else { values.collect() }
}

fn of_graphite(filled: &Filled, pattern: &str) -> Vec<String> {
    let nodes = get_json(filled.carbon.second_address(), &format!("/metrics/find?query={}", encode(pattern)));
    nodes.as_array().unwrap().iter().filter_map(|node: &Value| node["text"].as_str().map(str::to_owned)).collect()
}
