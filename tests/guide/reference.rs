//! The guide's tables list everything that is in the code, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::book::{chapter, code, read, sources};

#[test]
fn every_metric_is_in_the_chapter_on_metrics() {
    let mut in_code = BTreeSet::new();
    for (_, text) in sources("aggregator/src").into_iter().chain(sources("topology/src")) {
        for part in text.split("\"quipu_").skip(1) {
            let name = part.split('"').next().unwrap();
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            // These are a key of the configuration and prefixes.
            if is_name && !["kafka_brokers", "audit_", ""].contains(&name) {
                in_code.insert(format!("quipu_{name}"));
            }
        }
    }
    let page = chapter("metrics");
    let mentioned = code(&page.prose()).into_iter();
    let in_guide: BTreeSet<_> =
        mentioned.filter(|name| name.starts_with("quipu_") && !name.contains(['{', '-'])).collect();
    assert_eq!(in_guide, in_code);
    for row in page.rows() {
        let (name, kind) = (code(&row[0]).remove(0), &row[1]);
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
    }
}

#[test]
fn every_key_is_in_the_chapter_on_configuration_with_its_default() {
    let mut in_guide = BTreeMap::new();
    for row in chapter("configuration").rows() {
        for key in code(&row[0]) {
            in_guide.insert(key, code(&row[1]).into_iter().next());
        }
    }
    let example = read("quipu.example.toml");
    let mut section = String::new();
    let mut in_code = BTreeMap::new();
    for line in example.lines() {
        let is_example = line.starts_with('#');
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            // The keys of these sections are librdkafka's.
            if let "kafka.properties" | "kafka.secret_files" = section.as_str() {
                in_code.insert(section.clone(), None);
            }
        } else if let Some((key, value)) = line.split_once(" = ")
            && !section.starts_with("kafka.")
            && section != "sink"
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            let path = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            let is_list = section == "audit";
            assert_eq!(is_example, is_list, "{line}");
            in_code.entry(path).or_insert((!is_list).then(|| value.to_owned()));
        }
    }
    // The example does not have all keys of all kinds of sinks.
    for (file, options) in [
        ("sink.rs", "Sink"),
        ("sink/graphite.rs", "Graphite"),
        ("sink/influxdb.rs", "InfluxdbConnection"),
        ("sink/influxdb.rs", "InfluxdbV1"),
        ("sink/influxdb.rs", "InfluxdbV2"),
    ] {
        for field in fields(&read(&format!("config/src/{file}")), options) {
            in_code.insert(format!("sink.{}", if field == "options" { "type" } else { &field }), None);
        }
    }
    assert_eq!(in_guide.keys().collect::<Vec<_>>(), in_code.keys().collect::<Vec<_>>());
    for (key, default) in in_code {
        if default.is_some() {
            assert_eq!(in_guide[&key], default, "{key}");
        }
    }
}

#[test]
fn every_route_is_in_the_chapter_on_the_query_api() {
    let mut in_code = BTreeSet::new();
    for (_, text) in sources("aggregator/src") {
        for part in text.split(".route(\"").skip(1) {
            in_code.insert(part.split('"').next().unwrap().to_owned());
        }
    }
    let rows = chapter("query-api").rows();
    let in_guide: BTreeSet<_> =
        rows.iter().flat_map(|row| code(&row[0])).filter(|route| route.starts_with('/')).collect();
    assert_eq!(in_guide, in_code);
    let page = read("aggregator/src/http/landing.rs");
    for route in in_code.iter().filter(|route| *route != "/") {
        assert!(page.contains(&format!("(\"{route}\", ")), "the page at / has no link to {route}");
    }
}

#[test]
fn every_field_of_the_reporters_statistics_is_in_its_chapter() {
    let in_code = fields(&read("reporter/src/stats.rs"), "Stats");
    let in_guide: BTreeSet<_> = chapter("reporter").rows().iter().flat_map(|row| code(&row[0])).collect();
    assert_eq!(in_guide, in_code);
}

#[test]
fn the_topics_settings_are_those_that_the_aggregator_creates_them_with() {
    let source = read("aggregator/src/kafka/topics.rs").replace("DAY_MS", "\"86400000\"");
    for row in chapter("production").rows().into_iter().filter(|row| row[0].starts_with("`metrics") && row.len() == 3) {
        let constant = match code(&row[0])[0].as_str() {
            "metrics" => "METRICS",
            "metrics-agg" => "AGGREGATES",
            "metrics-state" => "STATE",
            _ => "DEAD_LETTERS",
        };
        let settings =
            source.split(&format!("const {constant}: Configs = ")).nth(1).unwrap().split(';').next().unwrap();
        let quoted: Vec<_> = settings.split('"').skip(1).step_by(2).collect();
        let in_code: Vec<_> = quoted.chunks(2).map(|pair| pair.join("=")).collect();
        assert_eq!(code(&row[2]), in_code, "{}", row[0]);
    }
}

#[test]
fn every_message_that_troubleshooting_quotes_is_in_the_code() {
    let mut literals = Vec::new();
    for folder in ["aggregator/src", "config/src", "kafka/src", "reporter/src", "src"] {
        for (_, text) in sources(folder) {
            literals.extend(text.lines().map(str::to_owned));
        }
    }
    let rows = chapter("troubleshooting").rows();
    assert!(rows.len() > 25, "{}", rows.len());
    for row in rows {
        let message = row[0].trim_matches('`');
        let parts: Vec<_> = message.split('…').map(str::trim).filter(|part| !part.is_empty()).collect();
        let is_there = literals.iter().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(is_there, "no source contains {message:?}");
    }
}

/// The public fields of a struct.
fn fields(source: &str, name: &str) -> BTreeSet<String> {
    let body = source.split(&format!("pub struct {name} {{")).nth(1).unwrap().split("\n}").next().unwrap();
    body.lines().filter_map(|line| Some(line.trim().strip_prefix("pub ")?.split_once(':')?.0.to_owned())).collect()
}
