//! Verifying and forgetting beside an aggregator on the embedded broker: as a library, and as scripts run it.

mod command;
mod library;

use quipu_aggregator::{Error, run};
use quipu_config::Config;
use quipu_testkit::Running;

/// What stands in a configuration file.
fn config(text: &str) -> Config {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, text).expect("written");
    Config::load(Some(file.path()), [("", ""); 0], []).expect("a configuration")
}

/// An aggregator on a thread of its own.
fn start(config: Config) -> Running<Result<(), Error>> {
    Running::start(|stop| run(config, stop))
}
