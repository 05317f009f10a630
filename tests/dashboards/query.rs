//! Runs a panel's queries on the servers.

use std::collections::BTreeMap;

use quipu_testkit::Server;
use quipu_testkit::http::{encode, get_json, request};
use serde_json::Value;

/// The value of `$__rate_interval`, in seconds; everything that the tests count is within it.
pub(crate) const WINDOW: u32 = 300;

/// A series in the result of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// The name in the panel's legend.
    pub(crate) name: String,
    pub(crate) last: f64,
    /// For a rate or a difference: how much was counted.
    pub(crate) grown: f64,
}

/// Runs an instant query.
pub(crate) fn prometheus(server: &Server, expression: &str, legend: &str) -> Result<Vec<Found>, String> {
    let path = format!("/api/v1/query?query={}", encode(expression));
    let (status, body) = request("GET", server.address(), &path, "").map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{status}: {error}: {body}"))?;
    let results = answer["data"]["result"].as_array().ok_or_else(|| format!("{status}: {body}"))?;
    let found = |result: &Value| {
        let last: f64 = result["value"][1].as_str().unwrap().parse().unwrap();
        let grown = if expression.contains("rate(") { last * f64::from(WINDOW) } else { last };
        Found { name: legend_of(legend, &result["metric"]), last, grown }
    };
    Ok(results.iter().map(found).collect())
}

fn legend_of(legend: &str, metric: &Value) -> String {
    let legend = if legend == "__auto" { "{{topic}}" } else { legend };
    let label = |text: &str| metric[text].as_str().unwrap_or_default().to_owned();
    let mut parts = legend.split("{{").map(|part| part.split_once("}}"));
    let first = legend.split("{{").next().unwrap_or_default().to_owned();
    parts.next();
    parts.flatten().fold(first, |text, (name, rest)| text + &label(name) + rest)
}

/// Renders the last ten minutes, at the resolution of the data, which is one second.
pub(crate) fn graphite(server: &Server, target: &str) -> Result<Vec<Found>, String> {
    let path = format!("/render?format=json&from=-10min&target={}", encode(target));
    let (status, body) = request("GET", server.second_address(), &path, "").map_err(|error| error.to_string())?;
    if status != 200 {
        return Err(format!("{status}: {}", &body[body.len().saturating_sub(300)..]));
    }
    let answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
    let found = |series: &Value| {
        let points: Vec<_> = series["datapoints"].as_array()?.iter().filter_map(|point| point[0].as_f64()).collect();
        let name = series["target"].as_str()?.rsplit('.').next()?.to_owned();
        Some(Found { name, last: *points.last()?, grown: points.iter().sum() })
    };
    Ok(answer.as_array().unwrap().iter().filter_map(found).collect())
}

/// The data that a Flux query reads, in the terms of InfluxQL.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) measurement: String,
    pub(crate) field: String,
    pub(crate) conditions: Vec<String>,
}

/// The tags and the values of each series, read with InfluxQL.
pub(crate) fn influxql(server: &Server, source: &Source) -> Vec<(Value, Found)> {
    let Source { measurement, field, conditions } = source;
    let condition = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    let query = format!(r#"SELECT "{field}" FROM "{measurement}" {condition} GROUP BY *"#);
    let answer = get_json(server.address(), &format!("/query?db=quipu&epoch=ms&q={}", encode(&query)));
    let series = answer["results"][0]["series"].as_array().cloned().unwrap_or_default();
    let found = |series: Value| {
        let values: Vec<_> =
            series["values"].as_array().unwrap().iter().filter_map(|value| value[1].as_f64()).collect();
        let (first, last) = (*values.first()?, *values.last()?);
        Some((series["tags"].clone(), Found { name: String::new(), last, grown: last - first }))
    };
    series.into_iter().filter_map(found).collect()
}

/// Reads the data behind a Flux query with InfluxQL: what its filters select, summed by what it groups by. The InfluxDB
/// of the tests does not support Flux.
pub(crate) fn flux(server: &Server, query: &str) -> Result<Vec<Found>, String> {
    let source = source(query)?;
    let mut groups: BTreeMap<String, Found> = BTreeMap::new();
    let read = influxql(server, &source);
    let label = ["topic", "event"].into_iter().find(|label| query.contains(&format!("\"{label}\"])")));
    let label = label.or_else(|| query.contains("columnKey: [\"_field\"]").then_some("topic"));
    for (tags, series) in &read {
        let name = label.map_or_else(|| named(query), |label| tags[label].as_str().unwrap_or_default().to_owned());
        let group = groups.entry(name.clone()).or_insert(Found { name, last: 0.0, grown: 0.0 });
        group.last += series.last;
        group.grown += series.grown;
    }
    let mut found: Vec<_> = groups.into_values().collect();
    if query.contains("|> count()") {
        #[expect(clippy::cast_precision_loss, reason = "they are few")]
        let last = read.len() as f64;
        found = vec![Found { name: "series".to_owned(), last, grown: 0.0 }];
    }
    if query.contains("|> top(n: 1)") {
        found.sort_by(|a, b| b.last.total_cmp(&a.last));
        found.truncate(1);
    }
    Ok(found)
}

/// The name of the column that the query makes.
fn named(query: &str) -> String {
    let column = query.split_once("({_time: r._time, ").and_then(|(_, rest)| rest.split_once(':'));
    column.map_or_else(String::new, |(name, _)| name.trim_matches('"').to_owned())
}

/// Parses the first filter of a query.
fn source(query: &str) -> Result<Source, String> {
    let filter = query.split_once("filter(fn: (r) => ").and_then(|(_, rest)| rest.split_once(")\n"));
    let (filter, _) = filter.ok_or_else(|| format!("no filter: {query}"))?;
    let mut source = Source { measurement: String::new(), field: String::new(), conditions: Vec::new() };
    for part in filter.split(" and ") {
        let part = part.trim_matches(['(', ')']);
        let (column, value) = part.split_once(' ').ok_or_else(|| format!("not understood: {part}"))?;
        let text = value.trim_start_matches("== ").split('"').nth(1).unwrap_or_default().to_owned();
        match column.trim_start_matches("r.").trim_start_matches("r[\"").trim_end_matches("\"]") {
            "_measurement" => source.measurement = text,
            "_field" => source.field = text,
            tag if value.starts_with("=~ ") => source.conditions.push(format!("\"{tag}\" {value}")),
            tag => source.conditions.push(format!("\"{tag}\" = '{text}'")),
        }
    }
    Ok(source)
}
