//! How fast a topic is read to its totals, on a real Kafka broker: a bare consumer, `quipu aggregate`, and the origin's
//! topology on Kafka Streams, one after the other and each alone.
//!
//! ```text
//! cargo bench --bench pipeline               # all of it, about 20 minutes
//! cargo bench --bench pipeline -- --rounds 1
//! cargo bench --bench pipeline -- heaps      # which JVM serves Kafka Streams best
//! cargo test --bench pipeline                # a small one, which only shows that it works
//! ```

mod bare;
mod contender;
mod guarantee;
mod heaps;
mod live;
mod load;
mod measure;
#[path = "../process.rs"]
mod process;
mod quipu;
mod report;
mod rounds;
mod streams;
#[expect(dead_code, unused_imports, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../../tests/e2e/support/mod.rs"]
mod support;
mod totals;

use anyhow::Result;
use clap::{Parser, Subcommand};

use load::Load;
use streams::{Jvm, Streams};
use support::{Cluster, Kafka, require};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many counters [default: 5,000,000; in a test 40,000]
    #[arg(long)]
    counters: Option<u64>,
    /// How often each is measured [default: 3; in a test 1]
    #[arg(long)]
    rounds: Option<u32>,
    /// Leaves out Kafka Streams
    #[arg(long)]
    without_streams: bool,
    /// Cargo says it where time matters; without it this is a test
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Finds the JVM's settings for Kafka Streams
    Heaps,
    #[command(hide = true)]
    BareConsumer { brokers: String, topic: String },
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(Command::BareConsumer { brokers, topic }) = &options.command {
        return bare::run(brokers, topic);
    }
    let (counters, rounds) = if options.bench { (5_000_000, 3) } else { (40_000, 1) };
    let counters = options.counters.unwrap_or(counters);
    let Some(kafka) = require(Kafka::start()) else { return Ok(()) };
    let cluster = Cluster::new(kafka.bootstrap());
    let built = if options.without_streams { None } else { require(streams::build()) };
    let streams = match built {
        Some(built) => Some(Streams::new(built, Jvm::BEST, Load::plain(&cluster, "warm-up", counters / 4)?)),
        None => None,
    };
    match (options.command, streams) {
        (Some(Command::Heaps), Some(streams)) => heaps::find(&cluster, streams, counters),
        (_, streams) => rounds::run(&cluster, streams, counters, options.rounds.unwrap_or(rounds), options.bench),
    }
}
