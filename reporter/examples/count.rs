//! Counts to 1000 and says what became of it: `cargo run -p quipu-reporter --example count -- localhost:9092`

use std::time::Duration;

use metrics::counter;
use quipu_reporter::KafkaReporter;

fn main() -> Result<(), quipu_reporter::Error> {
    let brokers = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".to_owned());
    let reporter = KafkaReporter::builder(brokers).install()?;

    // A handle saves the look-up.
    let processed = counter!("records_processed", "topic" => "auth");
    for n in 1..=1000 {
        processed.increment(1);
        if n % 100 == 0 {
            counter!("batches_processed").increment(1);
        }
        std::thread::sleep(Duration::from_millis(5));
    }

    reporter.shutdown(Duration::from_secs(5))?;
    println!("{} as run {}: {:#?}", reporter.instance(), reporter.run(), reporter.stats());
    Ok(())
}
