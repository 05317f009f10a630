//! The command line of `quipu`.

use clap::{Parser, Subcommand};
use quipu_demo::{DemoChild, DemoOptions};

use crate::commands::aggregate::AggregateOptions;
use crate::commands::completions::CompletionsOptions;
use crate::commands::config::ConfigCommand;
use crate::commands::explain::ExplainOptions;
use crate::commands::forget::ForgetOptions;
use crate::commands::health::HealthOptions;
use crate::commands::man::ManOptions;
use crate::commands::sink::SinkOptions;
use crate::commands::top::TopCommand;
use crate::commands::verify::VerifyOptions;
use crate::help::fit;
use crate::logging::LogOptions;

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  a check failed: it found a difference, duplicates or bad health
  2  an error, such as a wrong command line
  75  a step of `quipu aggregate` or a call of a Kafka client did not finish in time; a restart may help
  78  the configuration is wrong: the file, the environment, or a flag that sets a key; a restart does not help
  129, 130 or 143  stopped by SIGHUP, SIGINT or SIGTERM before the command was done";

const EXAMPLES: &str = "\
Examples:
  quipu demo                                    a million records, two consumers, and the duplicates
  quipu aggregate --brokers kafka:9092          compute and publish the totals
  quipu top --brokers kafka:9092                watch the fleet
  quipu config show --defaults > quipu.toml     write the default configuration to a file
  quipu aggregate --config quipu.toml";

/// The version and, if the build knows it, the commit.
pub(crate) const VERSION: &str = env!("VERSION_AND_COMMIT");

/// Counts a fleet of programs exactly: reporters publish to Kafka, an aggregator reduces to totals.
#[derive(Debug, Parser)]
#[command(name = "quipu", version = VERSION, propagate_version = true, after_help = fit(&format!("{EXAMPLES}\n\n{EXIT_CODES}")))]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) logging: LogOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reduce the reports on `metrics` to totals on `metrics-agg`
    #[command(after_help = fit(crate::commands::aggregate::EXAMPLES))]
    Aggregate(AggregateOptions),
    /// Print a script that completes command lines in a shell
    #[command(after_help = fit(crate::commands::completions::EXAMPLES))]
    Completions(CompletionsOptions),
    /// Show or check a configuration
    #[command(subcommand, after_help = fit(crate::commands::config::EXAMPLES))]
    Config(ConfigCommand),
    /// Run an experiment in which records are processed twice, by default on an embedded broker
    #[command(after_help = fit(crate::commands::demo::EXAMPLES))]
    Demo(DemoOptions),
    /// Show what a total is made of: runs, plain keys, and what has expired
    #[command(after_help = fit(crate::commands::explain::EXAMPLES))]
    Explain(ExplainOptions),
    /// Subtract the counts of an instance, a run, a key or a series from the totals
    #[command(after_help = fit(crate::commands::forget::EXAMPLES), override_usage = crate::commands::forget::USAGE)]
    Forget(ForgetOptions),
    /// Check the health of a running aggregator or sink
    #[command(after_help = fit(crate::commands::health::EXAMPLES))]
    Health(HealthOptions),
    /// Print the manual page, or write those of all commands into a folder
    #[command(after_help = fit(crate::commands::man::EXAMPLES))]
    Man(ManOptions),
    /// Write the totals on `metrics-agg` to InfluxDB, Graphite or standard output, without the aggregator
    #[command(after_help = fit(crate::commands::sink::EXAMPLES))]
    Sink(SinkOptions),
    /// Watch the fleet: totals, instances, duplicates, and runs that start and stop
    #[command(after_help = fit(crate::commands::top::EXAMPLES))]
    Top(TopCommand),
    /// Compute the totals once more from the log, and compare them with the published totals
    #[command(after_help = fit(crate::commands::verify::EXAMPLES))]
    Verify(VerifyOptions),
    /// One of the programs that `demo` starts
    #[command(hide = true)]
    DemoChild {
        #[command(subcommand)]
        child: DemoChild,
    },
}

impl Command {
    /// The default log level. A service logs what it does, and a command logs only problems. The dashboard shows problems
    /// on the screen, so it logs nothing unless there is a log file.
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
