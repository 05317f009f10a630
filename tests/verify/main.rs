//! Verifying and forgetting with an aggregator and the embedded broker: as a library, and as scripts run it.

mod command;
mod library;

use quipu_aggregator::{Error, run};
use quipu_config::Config;
use quipu_testkit::Running;

/// Loads a configuration from its text.
fn config(text: &str) -> Config {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, text).expect("written");
    Config::load(Some(file.path()), [("", ""); 0], []).expect("a configuration")
}

/// Starts an aggregator on its own thread.
fn start(config: Config) -> Running<Result<(), Error>> {
    Running::start(|stop| run(config, "1.2.3", stop))
}
