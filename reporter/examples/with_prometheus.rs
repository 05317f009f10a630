//! The same counters for Kafka and for Prometheus:
//! `cargo run -p quipu-reporter --example with_prometheus -- localhost:9092`

use std::error::Error;
use std::time::Duration;

use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_util::layers::FanoutBuilder;
use quipu_reporter::KafkaReporter;

fn main() -> Result<(), Box<dyn Error>> {
    let brokers = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".to_owned());

    let (kafka, reporter) = KafkaReporter::builder(brokers).global_label("service", "checkout").build()?;
    let prometheus = PrometheusBuilder::new().build_recorder();
    let scrape = prometheus.handle();
    metrics::set_global_recorder(FanoutBuilder::default().add_recorder(kafka).add_recorder(prometheus).build())?;

    counter!("records_processed", "topic" => "auth").increment(3);
    gauge!("queue_length").set(7); // only Prometheus gets this one

    reporter.shutdown(Duration::from_secs(5))?;
    println!("{}", scrape.render());
    Ok(())
}
