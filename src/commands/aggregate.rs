//! `quipu aggregate`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::runtime::Builder;

use crate::cli::VERSION;
use crate::config_options::{ConfigOptions, flag};
use crate::signals;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu aggregate                               with the defaults, on localhost:9092
  quipu aggregate --config quipu.toml --http 0.0.0.0:9464
  quipu aggregate --set topics.metrics=test --set topics.aggregates=test-agg
  QUIPU_KAFKA_BROKERS=kafka:9092 quipu aggregate

SIGINT, SIGTERM or SIGHUP shuts the aggregator down cleanly: it commits and ends with exit code 0. A second signal ends it
at once.

Exit codes:
  0  after a signal
  2  an error
  75  a step did not finish within `watchdog`, so that a standby can take over or a supervisor can restart the process
  78  the configuration is wrong; a supervisor should not restart the process";

#[derive(Debug, Args)]
pub(crate) struct AggregateOptions {
    #[command(flatten)]
    config: ConfigOptions,
    /// How often changed totals are published, such as 250ms [default: 1s]
    #[arg(long, value_name = "DURATION")]
    commit_interval: Option<String>,
    /// The address on which /metrics, /metrics/totals, /healthz, /readyz and the query API (/api/v1) are served, or off
    /// [default: 127.0.0.1:9464]
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<String>,
    /// Do not run the sinks of the configuration; run them with `quipu sink`
    #[arg(long)]
    no_sinks: bool,
}

pub(crate) fn run(options: AggregateOptions) -> Result<ExitCode> {
    let commit_interval = flag("--commit-interval", "commit_interval", options.commit_interval);
    let http = flag("--http", "http.listen", options.http);
    let mut config = options.config.load(commit_interval.into_iter().chain(http).collect())?;
    if options.no_sinks {
        config.sinks.clear();
    }
    let runtime = Builder::new_multi_thread().enable_all().build().context("can't start threads")?;
    let outcome = runtime.block_on(async {
        let stop = signals::stop().context("can't wait for signals")?;
        anyhow::Ok(quipu_aggregator::run(config, VERSION, stop).await?)
    });
    // The aggregator has committed or failed. A thread that is still blocked would only delay the exit.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}
