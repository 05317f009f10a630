use std::path::Path;

use super::{NO_VARIABLES, flag, load, wrong, wrong_variable};
use crate::{Config, ConfigError};

#[test]
fn everything_wrong_in_a_file_is_reported_with_its_line() {
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
fn of_two_intervals_that_do_not_fit_the_one_that_is_set_is_reported() {
    assert_eq!(wrong("\ncommit_interval = '2m'\n"), ["FILE:2: commit_interval: must be at most refresh_interval (1m)"]);
    assert_eq!(
        wrong("commit_interval = '2m'\nrefresh_interval = '61s'\n"),
        ["FILE:2: refresh_interval: must be at least commit_interval"]
    );
}

#[test]
fn a_missing_key_is_reported_with_the_line_of_its_table() {
    assert_eq!(wrong("\n[[audit]]\nname = 'a'\nsent = 'a'\n"), ["FILE:2: audit: missing field `processed`"]);
    assert_eq!(wrong("audit = [{ name = 'a', sent = 'a' }]\n"), ["FILE:1: audit: missing field `processed`"]);
}

#[test]
fn a_syntax_error_is_reported_with_its_line() {
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
         \"9464\", expected a host and a port such as \"127.0.0.1:9464\" or \"localhost:9464\", or \"off\""
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_an_error_not_a_panic() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    let value = OsString::from_vec(vec![b'a', 0xff]);
    let error = Config::load(None, [(OsString::from("QUIPU_APPLICATION_ID"), value)], []).expect_err("not UTF-8");
    assert_eq!(error.to_string(), "QUIPU_APPLICATION_ID: the value is not UTF-8");
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
        "watchdog = '29s'",
        "watchdog = 'never'",
        "retention.runs = '0s'",
        "retention.finished = 'never'",
        "kafka.brokers = ''",
        "kafka.brokers = 'a:9092,,b'",
        "kafka.brokers = 'a:99999'",
        "kafka.brokers = 'a b'",
        "topics.replication_factor = 0",
        "topics.replication_factor = 40000",
        "limits.max_rows = 0",
        "http.listen = 'localhost'",
        "http.listen = 'http://localhost:9464'",
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
        "http.listen = 'quipu.example:9464'",
    ] {
        load(text).expect(text);
    }
}

#[test]
fn a_key_of_another_type_of_sink_is_an_error_even_with_its_default() {
    for (sink, expected) in [
        ("type = 'stdout'\nbatch = 5000", "FILE:4: sink.batch: is for sinks of the type influxdb; remove it"),
        ("type = 'stdout'\ngzip = true", "FILE:4: sink.gzip: is for sinks of the type influxdb; remove it"),
        ("type = 'stdout'\nsettle = '5s'", "FILE:4: sink.settle: is for sinks of the type graphite; remove it"),
        ("type = 'influxdb'\nbatch = 5001\nurl = 'http://host'\nbucket = 'b'", "FILE:4: sink.batch: must be 1 to 5000"),
    ] {
        assert_eq!(wrong(&format!("[[sink]]\nname = 'a'\n{sink}\n")), [expected]);
    }
}

#[test]
fn the_defaults_of_a_sink_are_shown_for_its_type_and_read_back() {
    let graphite = "[[sink]]\nname = 'a'\ntype = 'graphite'\naddress = 'localhost:2003'\n";
    let influxdb = "[[sink]]\nname = 'b'\ntype = 'influxdb'\nurl = 'http://host'\nbucket = 'b'\n";
    let config = load(&format!("{graphite}{influxdb}")).expect("two sinks");
    let shown = config.to_toml().expect("TOML");
    for default in ["settle = \"5s\"", "batch = 5000", "gzip = true"] {
        assert_eq!(shown.matches(default).count(), 1, "{shown}");
    }
    assert_eq!(load(&shown).expect("the shown configuration"), config);
}

#[test]
fn the_names_that_a_sink_writes_to_are_not_empty() {
    for (keys, expected) in [
        ("bucket = ''", "FILE:5: sink.bucket: must not be empty"),
        ("database = ' '", "FILE:5: sink.database: must not be empty"),
        ("retention_policy = ''\ndatabase = 'd'", "FILE:5: sink.retention_policy: must not be empty"),
    ] {
        let file = format!("[[sink]]\nname = 'a'\ntype = 'influxdb'\nurl = 'http://host'\n{keys}\n");
        assert_eq!(wrong(&file), [expected]);
    }
}

#[test]
fn the_two_apis_of_influxdb_have_their_own_keys() {
    for (keys, expected) in [
        (
            "bucket = 'b'\ndatabase = 'd'",
            "FILE:6: sink.database: is for the v1 API, and bucket for the v2 API; remove one of them",
        ),
        (
            "bucket = 'b'\nuser = 'u'",
            "FILE:6: sink.user: is for the v1 API, which has a database instead of a bucket; remove it",
        ),
        (
            "database = 'd'\norg = 'o'",
            "FILE:6: sink.org: is for the v2 API, which has a bucket instead of a database; remove it",
        ),
        (
            "database = 'd'\nsecret_file = '/dev/null'",
            "FILE:1: sink.user: is missing: `secret_file` holds this user's password",
        ),
        ("user = 'u'", "FILE:1: sink.bucket: is missing; set bucket (v2 API) or database (v1 API)"),
    ] {
        let file = format!("[[sink]]\nname = 'a'\ntype = 'influxdb'\nurl = 'http://host'\n{keys}\n");
        assert_eq!(wrong(&file), [expected]);
    }
    let sink = "[[sink]]\nname = 'a'\ntype = 'influxdb'\nbatch = 0\ntimeout = '0s'\ngzip = 'x'\nbucket = 5\n";
    let expected = [
        "FILE:1: sink: missing field `url`",
        "FILE:4: sink.batch: must be 1 to 5000",
        "FILE:5: sink.timeout: must be longer than 0s",
        "FILE:6: sink.gzip: invalid type: string \"x\", expected a boolean",
        "FILE:7: sink.bucket: invalid type: integer `5`, expected a string",
    ];
    assert_eq!(wrong(sink), expected, "each mistake of one sink");
    assert_eq!(wrong("sink = [1]\n"), ["FILE:1: sink: expected a table"]);
    assert_eq!(wrong("[[sink]]\nname = 'a'\n"), ["FILE:1: sink: missing field `type`"]);
}

#[test]
fn a_sink_has_the_keys_of_its_type_and_no_others() {
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
        "FILE:4: sink.bucket: is missing; set bucket (v2 API) or database (v1 API)",
        "FILE:7: sink.url: must be a URL without user and query, such as \"http://localhost:8086\"",
        "FILE:8: sink.address: is for sinks of the type graphite; remove it",
        "FILE:10: sink.name: another sink has this name; names must be unique",
        "FILE:12: sink.address: must be host:port, such as \"localhost:2003\"",
        "FILE:13: sink.template: must be nodes of A-Z a-z 0-9 _ - between dots, two of them {name} and {labels}, such as \
         \"quipu.{name}.{labels}\"",
        "FILE:14: unknown key `sink.buket`; did you mean `sink.bucket`?",
        "FILE:18: sink.url: can't have a path with the v2 API; use a database (v1 API)",
        "FILE:20: sink.secret_variable: the variable INFLUX_TOKEN is not set or is not UTF-8",
    ];
    assert_eq!(wrong(file), expected);
}
