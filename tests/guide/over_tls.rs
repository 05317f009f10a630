use quipu_reporter::{Error, KafkaReporter};

fn report_over_tls(brokers: &str, password: &str, ca_file: &str) -> Result<KafkaReporter, Error> {
    KafkaReporter::builder(brokers)
        .instance("checkout-7")
        .property("security.protocol", "sasl_ssl")
        .property("ssl.ca.location", ca_file)
        .property("sasl.mechanism", "SCRAM-SHA-512")
        .property("sasl.username", "checkout")
        .property("sasl.password", password)
        .install()
}
