use std::io::Write as _;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;

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

/// What is wrong with a file, a line each; the file's path is written `FILE`.
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
    // Where librdkafka was built without OpenSSL, it refuses one of the lines.
    let text = text.replace("sasl_ssl", "sasl_plaintext");
    let config = load(&text).expect("the example with its comments taken off");
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
fn everything_wrong_in_a_file_is_told_with_its_line() {
    let text = "\
aplication_id = 'x'
commit_interval = '5'
[kafka]
broker = 'x'
[topics]
metrics = 'a b'
create = 'yes'
dead_letters = 'metrics-agg'
[limits]
max_rows = -1
[placement]
dir = 'x'
[[audit]]
name = 'a'
sent = 'a'
procesed = 'b'
[[audit]]
name = 'b'
sent = 'a{'
processed = 'b'
";
    let expected = [
        "FILE:1: unknown key `aplication_id`; did you mean `application_id`?",
        "FILE:2: commit_interval: invalid value: string \"5\", expected a whole number and its unit (ms, s, m, h or d), \
         such as \"250ms\"",
        "FILE:4: unknown key `kafka.broker`; did you mean `kafka.brokers`?",
        "FILE:6: topics.metrics: must be 1 to 249 of the characters A-Z a-z 0-9 . _ - and not . or ..",
        "FILE:7: topics.create: invalid type: string \"yes\", expected a boolean",
        "FILE:8: topics.dead_letters: must be another topic than topics.aggregates",
        "FILE:10: limits.max_rows: invalid value: integer `-1`, expected a whole number, 0 or more",
        "FILE:11: unknown key `placement`; `quipu config show` lists all keys; the nearest is `instance_timeout`",
        "FILE:16: unknown key `audit.procesed`; did you mean `audit.processed`?",
        "FILE:19: audit.sent: at byte 2: expected '\"', as in name{label=\"value\"}",
    ];
    assert_eq!(wrong(text), expected);
}

#[test]
fn what_is_missing_is_told_with_the_line_of_its_table() {
    assert_eq!(wrong("\n[[audit]]\nname = 'a'\nsent = 'a'\n"), ["FILE:2: audit: missing field `processed`"]);
    assert_eq!(wrong("audit = [{ name = 'a', sent = 'a' }]\n"), ["FILE:1: audit: missing field `processed`"]);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let lines = wrong("application_id = 5\nkafka = = 1\nx\n");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("FILE:2: ") && lines[1].starts_with("FILE:3: "), "{lines:?}");
    assert_eq!(wrong("kafka = 5\n"), ["FILE:1: kafka: expected a table"]);
    assert_eq!(wrong("application_id = 'a'\napplication_id = 'b'\n"), ["FILE:2: duplicate key"]);
    assert!(matches!(Config::load(Some(Path::new("/nowhere")), NO_VARIABLES, []), Err(ConfigError::Read { .. })));
}

#[test]
fn wrong_variables_and_flags_are_named() {
    assert_eq!(
        wrong_variable("QUIPU_KAFKA_BROKER", "x"),
        "QUIPU_KAFKA_BROKER: unknown variable; did you mean `QUIPU_KAFKA_BROKERS`?"
    );
    assert_eq!(
        wrong_variable("QUIPU_KAFKA_PROPERTY_SASL_PASSWORD", "hunter2"),
        "QUIPU_KAFKA_PROPERTY_SASL_PASSWORD: unknown variable; did you mean `QUIPU_KAFKA_PROPERTIES_…`?"
    );
    assert_eq!(
        wrong_variable("QUIPU_LIMITS_MAX_ROWS", "many"),
        "QUIPU_LIMITS_MAX_ROWS: limits.max_rows: invalid type: string \"many\", expected a whole number, 0 or more"
    );
    assert_eq!(
        wrong_variable("QUIPU_TOPICS_METRICS", "metrics-agg"),
        "QUIPU_TOPICS_METRICS: topics.aggregates: must be another topic than topics.metrics"
    );
    let flags = [flag("--http", "http.listen", "9464"), flag("--set", "http.port", "1")];
    let error = Config::load(None, NO_VARIABLES, flags).expect_err("wrong flags").to_string();
    assert_eq!(
        error,
        "--set: unknown key `http.port`; did you mean `http.listen`?\n--http: http.listen: invalid value: string \
         \"9464\", expected an IP address and port such as \"127.0.0.1:9464\", or \"off\""
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_an_error_not_a_panic() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = OsString::from_vec(vec![b'a', 0xff]);
    let error = Config::load(None, [(OsString::from("QUIPU_APPLICATION_ID"), value)], []).expect_err("not UTF-8");
    assert_eq!(error.to_string(), "QUIPU_APPLICATION_ID: the value is not UTF-8");
}

#[test]
fn properties_come_with_dots_or_quotes_from_every_layer_without_disturbing_each_other() {
    let file =
        file("[kafka.properties]\nsasl.username = 'file'\n'sasl.mechanism' = 'PLAIN'\nsocket.timeout.ms = 5000\n");
    let environment = [("QUIPU_KAFKA_PROPERTIES_SASL_USERNAME", "variable")];
    let flags = [flag("--set", "kafka.properties.debug", "broker")];
    let config = Config::load(Some(file.path()), environment, flags).expect("a configuration");
    let properties: Vec<_> = config.client_properties().collect();
    assert_eq!(
        properties,
        [
            ("bootstrap.servers", "localhost:9092"),
            ("client.id", "quipu"),
            ("debug", "broker"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "variable"),
            ("socket.timeout.ms", "5000"),
        ]
    );
    assert_eq!(
        wrong("[kafka.properties]\nsasl.username = 'a'\n'sasl.username' = 'b'\n")[0],
        "FILE:3: kafka.properties.sasl.username is set twice"
    );
}

#[test]
fn properties_that_are_not_the_users_or_that_librdkafka_refuses_are_errors() {
    let lines = wrong(
        "[kafka.properties]\ngroup.id = 'x'\nenable.auto.commit = true\nno.such = 1\nsocket.timeout.ms = 'long'\n\
         debug = \"a\\u0000b\"\n",
    );
    assert_eq!(lines[0], "FILE:2: kafka.properties.group.id: set application_id instead");
    assert_eq!(
        lines[1],
        "FILE:3: kafka.properties.enable.auto.commit: the aggregator keeps its own position; remove this property"
    );
    assert!(lines[2].starts_with("FILE:4: kafka.properties.no.such: No such configuration property"), "{}", lines[2]);
    assert!(lines[3].starts_with("FILE:5: kafka.properties.socket.timeout.ms: "), "{}", lines[3]);
    assert_eq!(lines[4], "FILE:6: kafka.properties.debug: contains a null character");
}

#[test]
fn a_secret_is_read_from_its_file_and_shown_nowhere() {
    let secret = file("hunter2\n");
    let path = secret.path().display();
    let file = file(&format!("[kafka]\nproperties.sasl.jaas = 1\nsecret_files.sasl.password = '{path}'\n"));
    let error = Config::load(Some(file.path()), NO_VARIABLES, []).expect_err("no such property").to_string();
    assert!(error.contains("sasl.jaas"), "{error}");

    let flags = [flag("--set", "kafka.properties.sasl.password", "swordfish")];
    let environment = [("QUIPU_KAFKA_SECRET_FILES_SASL_USERNAME", path.to_string())];
    let config = Config::load(None, environment, flags).expect("a configuration");
    assert!(config.client_properties().any(|property| property == ("sasl.username", "hunter2")));
    assert!(config.client_properties().any(|property| property == ("sasl.password", "swordfish")));
    let shown = format!("{config:?} {config:#?} {}", config.to_toml().expect("TOML"));
    assert!(shown.contains("\"sasl.password\" = \"***\""), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
}

#[test]
fn no_error_shows_a_secret() {
    for text in [
        "[kafka]\nproperties = 'sasl.password=hunter2'\n",
        "[kafka]\nproperties = ['hunter2']\n",
        "kafka = 'sasl.password=hunter2'\n",
        "[kafka.properties]\nsasl.password = ['hunter2']\n",
        "[kafka.properties]\nsasl.password = { hunter2 = {} , a = ['hunter2'] }\n",
        "[kafka.properties]\nsasl.no-such-password = 'hunter2'\n",
        "[kafka.properties]\nssl.key.pem = 'hunter2'\nsecurity.protocol.key = 'hunter2'\n",
        "[kafka.properties]\nsasl.password = \"hunter2\\u0000\"\n",
        "[kafka.properties]\nsasl.password = 'hunter2\n",
        "[kafka.properties]\nsasl.password = \"hunter2\\q\"\n",
        "[kafka]\nsasl.password = 'hunter2'\n",
    ] {
        let error = load(text).expect_err(text);
        let values = error.to_string().replace("sasl.password.hunter2", "");
        assert!(!values.contains("hunter2"), "{text}: {error}");
        assert!(!format!("{error:?}").replace("sasl.password.hunter2", "").contains("hunter2"), "{text}: {error:?}");
    }
    assert!(!wrong_variable("QUIPU_KAFKA_SASL_PASSWORD", "hunter2").contains("hunter2"));
    assert!(!wrong_variable("QUIPU_KAFKA_PROPERTIES", "hunter2").contains("hunter2"));
}

#[test]
fn secret_files_must_be_readable_and_not_contradict_the_properties() {
    assert_eq!(
        wrong("[kafka.secret_files]\nsasl.password = '/nowhere/x'\n")[0],
        "FILE:2: kafka.secret_files.sasl.password: can't read /nowhere/x: No such file or directory (os error 2)"
    );
    assert_eq!(
        wrong("[kafka]\nproperties.sasl.password = 'x'\nsecret_files.sasl.password = '/dev/null'\n"),
        ["FILE:3: kafka.secret_files.sasl.password: is set in kafka.properties too; remove one of the two"]
    );
    assert_eq!(
        wrong("[kafka]\nsecret_files.group.id = '/dev/null'\n"),
        ["FILE:2: kafka.secret_files.group.id: set application_id instead"]
    );
}

#[test]
fn values_out_of_range_are_errors() {
    for text in [
        "application_id = ''",
        "application_id = '../x'",
        "application_id = '..'",
        "commit_interval = '6m'\nrefresh_interval = '1h'",
        "refresh_interval = '0s'",
        "commit_interval = '2m'",
        "instance_timeout = '999ms'",
        "kafka.brokers = ''",
        "kafka.brokers = 'a:9092,,b'",
        "kafka.brokers = 'a:99999'",
        "kafka.brokers = 'a b'",
        "topics.replication_factor = 0",
        "topics.replication_factor = 40000",
        "limits.max_rows = 0",
        "limits.max_series = 0",
        "[[audit]]\nname = ''\nsent = 'a'\nprocessed = 'b'",
        "[[audit]]\nname = 'x'\nsent = 'a'\nprocessed = 'b'\n[[audit]]\nname = 'x'\nsent = 'a'\nprocessed = 'b'",
    ] {
        assert_eq!(wrong(text).len(), 1, "{text}: {:?}", wrong(text));
    }
    for text in [
        "commit_interval = '0s'",
        "kafka.brokers = 'a'",
        "kafka.brokers = 'a:9092, b:9092'",
        "kafka.brokers = '[::1]:9092'",
        "kafka.brokers = '[::1]'",
        "kafka.brokers = 'SASL_SSL://a:9092'",
        "http.listen = '[::]:9464'",
    ] {
        load(text).expect(text);
    }
}

#[test]
fn what_is_shown_of_a_loaded_configuration_loads_as_the_same() {
    let config = load(
        "commit_interval = '250ms'\n[kafka.properties]\nclient.rack = 'a'\n[[audit]]\nname = 'x'\n\
         sent = 'a{b=\"c\"}'\nprocessed = 'd'\n[[sink]]\nname = 'g'\ntype = 'graphite'\naddress = 'h:1'\n\
         template = '{labels}.x.{name}'\nsettle = '1s'\n",
    )
    .expect("a configuration");
    assert_eq!(load(&config.to_toml().expect("TOML")).expect("the same"), config);
}

#[test]
fn a_sink_has_what_its_type_needs_and_nothing_else() {
    let file = "\
[[sink]]
name = 'a/b'
type = 'influx'
[[sink]]
name = 'a'
type = 'influxdb'
url = 'http://user@host'
address = 'localhost:2003'
[[sink]]
name = 'a'
type = 'graphite'
address = 'localhost'
template = 'quipu.{name}'
buket = 'x'
[[sink]]
name = 'b'
type = 'influxdb'
url = 'https://host/path'
bucket = 'b'
secret_variable = 'INFLUX_TOKEN'
";
    let expected = [
        "FILE:3: sink.type: unknown variant `influx`, expected one of `influxdb`, `graphite`, `stdout`",
        "FILE:4: sink.bucket: is missing (v2 API), or database (v1 API)",
        "FILE:7: sink.url: must be a URL without user and query, such as \"http://localhost:8086\"",
        "FILE:8: sink.address: is for sinks of the type graphite; remove it",
        "FILE:10: sink.name: another sink has this name; names must be unique",
        "FILE:12: sink.address: must be host:port, such as \"localhost:2003\"",
        "FILE:13: sink.template: must be nodes of A-Z a-z 0-9 _ - between dots, two of them {name} and {labels}, such as \
         \"quipu.{name}.{labels}\"",
        "FILE:14: unknown key `sink.buket`; did you mean `sink.bucket`?",
        "FILE:18: sink.url: can't have a path with the v2 API; use a database (v1 API)",
        "FILE:20: sink.secret_variable: the variable INFLUX_TOKEN is not set, or not text",
    ];
    assert_eq!(wrong(file), expected);
}

#[test]
fn secrets_of_sinks_and_of_the_query_api_are_read_and_never_shown() {
    let token = file("hunter2\n");
    let text = format!(
        "http.token_file = {0:?}\n[[sink]]\nname = 'a'\ntype = 'influxdb'\nurl = 'http://h:1'\nbucket = 'b'\n\
         secret_file = {0:?}\n[[sink]]\nname = 'c'\ntype = 'influxdb'\nurl = 'http://h'\ndatabase = 'd'\nuser = 'u'\n\
         secret_variable = 'PASSWORD'\n",
        token.path()
    );
    let config = Config::merge(None, &text, [("PASSWORD", "hunter3")], []).expect("a configuration");
    assert_eq!(config.http.token(), Some("hunter2"));
    assert_eq!(config.sinks[0].secret(), Some("hunter2"));
    assert_eq!(config.sinks[1].secret(), Some("hunter3"));
    let shown = format!("{config:?} {}", config.to_toml().expect("TOML"));
    assert!(!shown.contains("hunter"), "{shown}");
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
