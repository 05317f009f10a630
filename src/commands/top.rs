//! `quipu top`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use quipu_config::Config;
use quipu_tui::{SourceOptions, TopOptions};

use crate::config_options::ConfigOptions;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu top                                     the dashboard, on localhost:9092
  quipu top --config quipu.toml                 use the brokers, topics and security of the aggregator
  quipu top --once                              print the view and exit
  quipu top --once --fail-on-duplicates         exit with 1 if any audit found duplicates

Closing the dashboard, or a signal, ends with exit code 0. With --fail-on-duplicates the exit code is 0 if no audit found
duplicates, 1 if an audit did, and 2 if the check was not possible: the aggregator did not read all reports within --timeout,
there is no audit, or an audit has no delta yet.";

#[derive(Debug, Args)]
pub(crate) struct TopCommand {
    #[command(flatten)]
    config: ConfigOptions,
    #[command(flatten)]
    top: TopOptions,
}

pub(crate) fn run(options: TopCommand) -> Result<ExitCode> {
    let config = options.config.load(Vec::new())?;
    let instance_timeout = config.instance_timeout;
    quipu_tui::run(source(config), &options.top, instance_timeout)
}

/// Returns the options to read the same topics as this configuration's aggregator.
fn source(config: Config) -> SourceOptions {
    let properties = quipu_kafka::without_identity(config.client_properties());
    SourceOptions {
        properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        brokers: config.kafka.brokers,
        metrics_topic: config.topics.metrics,
        aggregates_topic: config.topics.aggregates,
        application_id: config.application_id,
        ..SourceOptions::default()
    }
}
