use super::{NO_VARIABLES, file, flag, load, wrong, wrong_variable};
use crate::{Config, Sink, SinkOptions};

fn secret(sink: &Sink) -> Option<&str> {
    match &sink.options {
        SinkOptions::Influxdb(options) => options.connection.secret(),
        SinkOptions::Graphite(_) | SinkOptions::Stdout => None,
    }
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
    let secrets: Vec<_> = config.sinks.iter().map(secret).collect();
    assert_eq!(secrets, [Some("hunter2"), Some("hunter3")]);
    let shown = format!("{config:?} {}", config.to_toml().expect("TOML"));
    assert!(!shown.contains("hunter"), "{shown}");
}
