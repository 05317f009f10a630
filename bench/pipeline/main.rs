//! How fast a topic is read until its totals are readable, with a real Kafka broker: a bare consumer, `quipu
//! aggregate`, and the original topology on Kafka Streams. They run one after the other, each alone.
//!
//! ```text
//! cargo bench --bench pipeline               # all of it, about 20 minutes
//! cargo bench --bench pipeline -- --rounds 1
//! cargo bench --bench pipeline -- latency    # from a counter to its total
//! cargo bench --bench pipeline -- heaps      # which JVM settings are best for Kafka Streams
//! cargo test --bench pipeline                # a small run, which only checks that the benchmark works
//! ```

mod bare;
mod contender;
mod guarantee;
mod heaps;
mod latency;
mod live;
mod load;
mod measure;
mod process;
mod quipu;
mod report;
mod rounds;
mod streams;
mod totals;

use anyhow::Result;
use clap::{Parser, Subcommand};
use quipu_testkit::{Cluster, Kafka, require};

use load::Load;
use streams::{Jvm, Streams};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Number of counters [default: 5,000,000; in a test 40,000]
    #[arg(long, global = true)]
    counters: Option<u64>,
    /// Number of rounds [default: 3; in a test 1]
    #[arg(long, global = true)]
    rounds: Option<u32>,
    /// Leave out Kafka Streams
    #[arg(long, global = true)]
    without_streams: bool,
    /// Set by cargo for a benchmark; without it this is a test
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the time from a counter to its total
    Latency,
    /// Find the best JVM settings for Kafka Streams
    Heaps,
    #[command(hide = true)]
    BareConsumer { brokers: String, topic: String },
    #[command(hide = true)]
    Relay { brokers: String, input: String, output: String },
}

fn main() -> Result<()> {
    let Options { command, counters, rounds, without_streams, bench } = Options::parse();
    match &command {
        Some(Command::BareConsumer { brokers, topic }) => return bare::run(brokers, topic),
        Some(Command::Relay { brokers, input, output }) => return latency::relay(brokers, input, output),
        _ => {}
    }
    let counters = counters.unwrap_or(if bench { 5_000_000 } else { 40_000 });
    let rounds = rounds.unwrap_or(if bench { 3 } else { 1 });
    let Some(kafka) = require(Kafka::start()) else { return Ok(()) };
    let cluster = Cluster::new(kafka.bootstrap());
    if let Some(Command::Latency) = command {
        return latency::measure(&cluster, rounds, 1000);
    }
    let built = if without_streams { None } else { require(streams::build()) };
    let streams = match built {
        Some(built) => Some(Streams::new(built, Jvm::BEST, Load::plain(&cluster, "warm-up", counters / 4)?)),
        None => None,
    };
    let streams = match (command, streams) {
        (Some(Command::Heaps), Some(streams)) => return heaps::find(&cluster, streams, counters),
        (_, streams) => streams,
    };
    rounds::run(&cluster, streams, counters, rounds, if bench { 10 } else { 1 })?;
    if !bench {
        latency::measure(&cluster, 1, 20)?;
    }
    Ok(())
}
