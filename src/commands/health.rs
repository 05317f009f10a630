//! `quipu health`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::config_options::{ConfigOptions, flag, reachable};
use crate::http_client::Request;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu health                                  does `quipu aggregate` or `quipu sink` answer on 127.0.0.1:9464?
  quipu health --ready --config quipu.toml      has the aggregator of this configuration caught up?

The exit code is 1 if there is no answer or the health is bad.";

/// A short timeout is enough, because the process is usually on this machine.
const TIMEOUT: Duration = Duration::from_secs(3);
/// More bytes than either route answers.
const ANSWER_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub(crate) struct HealthOptions {
    #[command(flatten)]
    config: ConfigOptions,
    /// The address on which the process serves HTTP [default: 127.0.0.1:9464]
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<String>,
    /// Check readiness (/readyz: all totals are available) instead of liveness (/healthz: the process answers); a standby is
    /// never ready
    #[arg(long)]
    ready: bool,
}

pub(crate) fn run(options: HealthOptions) -> Result<ExitCode> {
    let http = flag("--http", "http.listen", options.http);
    let config = options.config.load(http.into_iter().collect())?;
    let address = reachable(&config)?;
    let path = if options.ready { "/readyz" } else { "/healthz" };
    let url = format!("http://{address}{path}");
    let request = Request { address, path: path.to_owned(), token: None, timeout: TIMEOUT, answer_bytes: ANSWER_BYTES };
    let (is_good, answer) = match request.get() {
        Ok((200, answer)) => (true, answer),
        Ok((status, answer)) => (false, format!("{status}: {answer}")),
        Err(error) => (false, format!("{error:#}")),
    };
    let line = answer.lines().next().unwrap_or_default();
    if is_good { output::print(&format!("{line}\n")) } else { Ok(output::unhealthy(&format!("{url}: {line}"))) }
}
