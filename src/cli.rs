//! The command line.

use clap::{Parser, Subcommand};
use quipu_demo::{DemoChild, DemoOptions};

use crate::commands::aggregate::AggregateOptions;
use crate::commands::completions::CompletionsOptions;
use crate::commands::config::ConfigCommand;
use crate::commands::forget::ForgetOptions;
use crate::commands::health::HealthOptions;
use crate::commands::man::ManOptions;
use crate::commands::sink::SinkOptions;
use crate::commands::top::TopCommand;
use crate::commands::verify::VerifyOptions;
use crate::logging::LogOptions;

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  a difference, duplicates or bad health, where asked to check
  2  a failure, or a wrong command line or configuration
  75  a step of `quipu aggregate`, or a call of a Kafka client, did not end; started again, it may work
  130 or 143  ended by SIGINT or SIGTERM before it was done";

const EXAMPLES: &str = "\
Examples:
  quipu demo                                    a million records, two consumers, and the duplicates
  quipu aggregate --brokers kafka:9092          keep the totals
  quipu top --brokers kafka:9092                watch the fleet
  quipu config show > quipu.toml                begin a configuration
  quipu aggregate --config quipu.toml";

/// The version and, where the build knew it, the commit.
pub(crate) const VERSION: &str = env!("VERSION_AND_COMMIT");

/// Counts a fleet of programs exactly: reporters publish to Kafka, an aggregator reduces to totals.
#[derive(Debug, Parser)]
#[command(name = "quipu", version = VERSION, propagate_version = true, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) logging: LogOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reduce the reports on `metrics` to totals on `metrics-agg`
    #[command(after_help = crate::commands::aggregate::EXAMPLES)]
    Aggregate(AggregateOptions),
    /// Print a script that completes command lines in a shell
    #[command(after_help = crate::commands::completions::EXAMPLES)]
    Completions(CompletionsOptions),
    /// Show or check a configuration
    #[command(subcommand, after_help = crate::commands::config::EXAMPLES)]
    Config(ConfigCommand),
    /// Watch records being processed twice: the whole experiment, by default on an embedded broker
    #[command(after_help = crate::commands::demo::EXAMPLES)]
    Demo(DemoOptions),
    /// Subtract from the totals what an instance ever counted
    #[command(after_help = crate::commands::forget::EXAMPLES)]
    Forget(ForgetOptions),
    /// Ask a running aggregator or sink whether it is well
    #[command(after_help = crate::commands::health::EXAMPLES)]
    Health(HealthOptions),
    /// Print the manual page, or write those of all commands into a folder
    #[command(after_help = crate::commands::man::EXAMPLES)]
    Man(ManOptions),
    /// Write the totals on `metrics-agg` to InfluxDB, Graphite or standard output, without the aggregator
    #[command(after_help = crate::commands::sink::EXAMPLES)]
    Sink(SinkOptions),
    /// Watch the fleet: totals, instances, duplicates, who came and went
    #[command(after_help = crate::commands::top::EXAMPLES)]
    Top(TopCommand),
    /// Compute the totals once more from the log, and compare
    #[command(after_help = crate::commands::verify::EXAMPLES)]
    Verify(VerifyOptions),
    /// One of the programs that `demo` starts
    #[command(hide = true)]
    DemoChild {
        #[command(subcommand)]
        child: DemoChild,
    },
}

impl Command {
    /// What is logged unless the user says: a service tells what it does, a command only what is wrong, and nothing is
    /// said twice by a dashboard, which shows by itself what is wrong.
    pub(crate) fn default_log_level(&self, has_file: bool) -> &'static str {
        match self {
            Self::Aggregate(_) | Self::Sink(_) => "info",
            Self::Top(_) if has_file => "info",
            Self::Top(_) => "off",
            _ => "warn",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
