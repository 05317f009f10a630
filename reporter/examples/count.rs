//! Counts the lines of its standard input: `seq 1000000 | cargo run -p quipu-reporter --example count -- localhost:9092`

use std::error::Error;
use std::time::Duration;

use metrics::counter;
use quipu_reporter::KafkaReporter;

fn main() -> Result<(), Box<dyn Error>> {
    let brokers = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".to_owned());
    let reporter = KafkaReporter::builder(brokers).install()?;

    // A handle saves the look-up.
    let lines = counter!("lines_read");
    for line in std::io::stdin().lines() {
        lines.increment(1);
        if line?.is_empty() {
            counter!("empty_lines_read").increment(1);
        }
    }

    reporter.shutdown(Duration::from_secs(5))?;
    println!("{} as run {}: {:#?}", reporter.instance(), reporter.run(), reporter.stats());
    Ok(())
}
