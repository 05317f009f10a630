//! `quipu sink`.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use quipu_config::{Config, Sink};
use tokio::runtime::Builder;

use crate::cli::VERSION;
use crate::config_options::{ConfigOptions, flag};
use crate::signals;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu sink --config quipu.toml                run the sinks of the configuration without the aggregator
  quipu sink --config quipu.toml --name influx --http off
  quipu sink --stdout --brokers kafka:9092      print every total as a line of JSON, from the beginning of the topic

A sink continues from the commit of its consumer group (<application-id>-sink-<name>), or from the beginning of the topic.
SIGINT, SIGTERM or SIGHUP ends with exit code 0. Totals that a target has not accepted are written after the next start. A
wrong configuration is exit code 78.";

#[derive(Debug, Args)]
pub(crate) struct SinkOptions {
    #[command(flatten)]
    config: ConfigOptions,
    /// Run only the sink with this name; can be given more than once [default: all sinks of the configuration]
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Run a sink to standard output, named stdout, instead of the sinks of the configuration
    #[arg(long, conflicts_with = "names")]
    stdout: bool,
    /// The address on which /metrics, /healthz and /api/v1/status are served, or off [default: 127.0.0.1:9464]
    #[arg(long, value_name = "HOST:PORT")]
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
        anyhow::Ok(quipu_aggregator::run_sinks(config, VERSION, stop).await?)
    });
    // A target that does not answer may still block a thread. Waiting for this thread would only delay the exit.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Removes all sinks except those with the given names.
fn choose(config: &mut Config, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let configured: Vec<_> = config.sinks.iter().map(|sink| sink.name.clone()).collect();
    if let Some(unknown) = names.iter().find(|name| !configured.contains(name)) {
        if configured.is_empty() {
            bail!(
                "--name {unknown}: the configuration has no sinks: name its file with --config, and add a section [[sink]] to it (`quipu config show` has examples)"
            );
        }
        bail!("--name {unknown}: no such sink; the configuration has: {}", configured.join(", "));
    }
    config.sinks.retain(|sink| names.contains(&sink.name));
    Ok(())
}
