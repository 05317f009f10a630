use super::{file, flag, wrong};
use crate::Config;

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
