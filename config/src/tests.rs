mod errors;
mod properties;
mod secrets;

use std::io::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use crate::{Config, ConfigError, Flag};

const NO_VARIABLES: [(&str, &str); 0] = [];

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("a file that can be written");
    file
}

fn flag(name: &str, key: &str, value: &str) -> Flag {
    Flag { name: name.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::load(Some(file(text).path()), NO_VARIABLES, [])
}

/// The problems of a file, one on each line. The path of the file is replaced by `FILE`.
fn wrong(text: &str) -> Vec<String> {
    let file = file(text);
    let error = Config::load(Some(file.path()), NO_VARIABLES, []).expect_err("a wrong configuration");
    error.to_string().replace(&file.path().display().to_string(), "FILE").lines().map(str::to_owned).collect()
}

fn wrong_variable(name: &str, value: &str) -> String {
    Config::load(None, [(name, value)], []).expect_err("a wrong variable").to_string()
}

fn paths(table: &toml::Table, prefix: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in table {
        all.push(format!("{prefix}{name}"));
        if let toml::Value::Table(table) = value {
            all.extend(paths(table, &format!("{prefix}{name}.")));
        }
    }
    all
}

#[test]
fn the_example_states_every_default_and_nothing_else() {
    assert_eq!(load(Config::EXAMPLE).expect("the example"), Config::default());
    let example: toml::Table = Config::EXAMPLE.parse().expect("TOML");
    let mut defaults: toml::Table = Config::default().to_toml().expect("defaults that TOML has").parse().expect("TOML");
    for list in ["audit", "sink"] {
        assert_eq!(defaults.remove(list), Some(toml::Value::Array(Vec::new())), "TOML can't show an empty [[{list}]]");
    }
    assert_eq!(paths(&example, ""), paths(&defaults, ""));
}

#[test]
fn the_commented_lines_of_the_example_are_right_too() {
    let text: String = Config::EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(code) if code.starts_with("[[") || code.contains(" = ") => code.replace("/run/secrets/", "/dev/"),
            _ => line.to_owned(),
        })
        .map(|line| line.replace("/dev/kafka-password", "/dev/null").replace("/dev/influxdb-token", "/dev/null") + "\n")
        .collect();
    // A librdkafka without OpenSSL refuses one of the lines.
    let text = text.replace("sasl_ssl", "sasl_plaintext");
    let config = load(&text).expect("the example without comment signs");
    assert_eq!(config.audits.len(), 1);
    assert_eq!(config.sinks.len(), 4);
    assert_eq!(config.sinks[0].group(&config.application_id), "quipu-sink-influx");
    assert_eq!(config.kafka.properties.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
    assert_eq!(config.kafka.secrets.0.get("sasl.password"), Some(""));
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let file = file("application_id = 'file'\nkafka.brokers = 'file:1'\ntopics.metrics = 'file'\n");
    let environment = [("QUIPU_KAFKA_BROKERS", "variable:1"), ("QUIPU_TOPICS_METRICS", "variable")];
    let flags = [flag("--set", "topics.metrics", "first"), flag("--set", "topics.metrics", "second")];
    let config = Config::load(Some(file.path()), environment, flags).expect("a configuration");
    assert_eq!(config.application_id, "file");
    assert_eq!(config.kafka.brokers, "variable:1");
    assert_eq!(config.topics.metrics, "second");
    assert_eq!(config.topics.aggregates, "metrics-agg");
}

#[test]
fn variables_have_the_types_of_their_keys() {
    let environment = [
        ("QUIPU_LIMITS_MAX_ROWS", "1_000"),
        ("QUIPU_TOPICS_CREATE", "false"),
        ("QUIPU_COMMIT_INTERVAL", "250ms"),
        ("QUIPU_HTTP_LISTEN", "off"),
        ("QUIPU_APPLICATION_ID", "7"),
        ("QUIPU_TOPICS_METRICS", ""),
    ];
    let config = Config::load(None, environment, []).expect("a configuration");
    assert_eq!(config.limits.max_rows, 1_000);
    assert!(!config.topics.create);
    assert_eq!(config.commit_interval, Duration::from_millis(250));
    assert_eq!(config.http.listen, None);
    assert_eq!(config.application_id, "7");
    assert_eq!(config.topics.metrics, "metrics", "an empty variable is not set");
}

#[test]
fn a_configuration_that_is_shown_loads_as_the_same() {
    let config = load(
        "commit_interval = '250ms'\n[kafka.properties]\nclient.rack = 'a'\n[[audit]]\nname = 'x'\n\
         sent = 'a{b=\"c\"}'\nprocessed = 'd'\n[[sink]]\nname = 'g'\ntype = 'graphite'\naddress = 'h:1'\n\
         template = '{labels}.x.{name}'\nsettle = '1s'\n",
    )
    .expect("a configuration");
    assert_eq!(load(&config.to_toml().expect("TOML")).expect("the same"), config);
}

proptest! {
    #[test]
    fn no_file_and_no_variable_panics_or_hangs(
        lines in prop::collection::vec(
            "(\\[?\\[?(kafka|audit|topics|properties|x|é)(\\.(properties|brokers|sasl))?\\]?\\]?)?( ?= ?([0-9]{1,20}|'a'|\\[\\]|\\{ ?\\}|\\{ ?name ?= ?1 ?\\}|true|[0-9]-[0-9]{2}-[0-9]{2}))?",
            0..12,
        ),
        name in "QUIPU_(KAFKA|KAFKA_PROPERTIES|KAFKA_SECRET_FILES|LIMITS)_[A-Z_]{0,9}",
        value in "\\PC{0,5}|[0-9]{1,5}",
    ) {
        let outcome = Config::merge(None, &lines.join("\n"), [(name, value)], []);
        if let Err(error) = outcome {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
