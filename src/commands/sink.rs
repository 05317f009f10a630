//! `quipu sink`.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use quipu_config::{Config, Sink};
use tokio::runtime::Builder;

use crate::config_options::{ConfigOptions, flag};
use crate::signals;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu sink --config quipu.toml                the sinks of the configuration, without the aggregator
  quipu sink --config quipu.toml --name influx --http off
  quipu sink --stdout --brokers kafka:9092      every total as a line of JSON, from the beginning

A sink begins where its consumer group (<application-id>-sink-<name>) left off, or at the beginning of the totals' topic.
SIGINT or SIGTERM ends with 0; what the targets have not accepted is written at the next start.";

#[derive(Debug, Args)]
pub(crate) struct SinkOptions {
    #[command(flatten)]
    config: ConfigOptions,
    /// Only the sink of this name; can stand more than once [default: all of the configuration]
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// A sink to standard output, named stdout, instead of those of the configuration
    #[arg(long, conflicts_with = "names")]
    stdout: bool,
    /// Where /metrics, /healthz and /api/v1/status are served, or off [default: 127.0.0.1:9464]
    #[arg(long, value_name = "IP:PORT")]
    http: Option<String>,
}

pub(crate) fn run(options: SinkOptions) -> Result<ExitCode> {
    let http = flag("--http", "http.listen", options.http);
    let mut config = options.config.load(http.into_iter().collect())?;
    if options.stdout {
        config.sinks = vec![Sink::stdout("stdout")];
    }
    choose(&mut config, &options.names)?;
    let runtime = Builder::new_multi_thread().enable_all().build().context("can't start threads")?;
    let outcome = runtime.block_on(async {
        let stop = signals::stop().context("can't wait for signals")?;
        anyhow::Ok(quipu_aggregator::run_sinks(config, stop).await?)
    });
    // What still blocks a thread is a target that does not answer.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Leaves only the sinks that are named.
fn choose(config: &mut Config, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let known: Vec<_> = config.sinks.iter().map(|sink| sink.name.clone()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        bail!("--name {unknown}: no such sink; the configuration has: {}", known.join(", "));
    }
    config.sinks.retain(|sink| names.contains(&sink.name));
    Ok(())
}
