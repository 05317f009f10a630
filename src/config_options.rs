//! The flags that all commands with a configuration have.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, bail};
use clap::Args;
use quipu_config::{Config, ConfigError, Flag, ListenAddress};

#[derive(Debug, Args)]
pub(crate) struct ConfigOptions {
    /// The configuration file; the environment overrides it, and flags override both [default: none]
    #[arg(long, short, env = "QUIPU_CONFIG", value_name = "FILE")]
    config: Option<OsString>,
    /// The addresses of brokers to connect to first [default: localhost:9092]
    #[arg(long, value_name = "HOST:PORT,…")]
    brokers: Option<String>,
    /// The aggregator's consumer group [default: quipu]
    #[arg(long, value_name = "ID")]
    application_id: Option<String>,
    /// Set any other key of the configuration; can be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

impl ConfigOptions {
    /// Loads the configuration; `flags` are those of the command itself.
    pub(crate) fn load(self, mut flags: Vec<Flag>) -> Result<Config> {
        flags.extend(flag("--brokers", "kafka.brokers", self.brokers));
        flags.extend(flag("--application-id", "application_id", self.application_id));
        flags.extend(self.set.into_iter().filter_map(|(key, value)| flag("--set", &key, Some(value))));
        load(named_file(self.config).as_deref(), flags)
    }
}

/// Returns the file that a flag or QUIPU_CONFIG names. As with all variables, an empty one counts as not set.
pub(crate) fn named_file(name: Option<OsString>) -> Option<PathBuf> {
    name.filter(|name| !name.is_empty()).map(PathBuf::from)
}

/// Returns the flag `name`, which sets `key`, if it was given.
pub(crate) fn flag(name: &str, key: &str, value: Option<String>) -> Option<Flag> {
    Some(Flag { name: name.to_owned(), key: key.to_owned(), value: value? })
}

/// Loads a configuration with the environment of this process.
pub(crate) fn load(file: Option<&Path>, flags: Vec<Flag>) -> Result<Config> {
    let file = file.map(|file| if file == "-" { Path::new("/dev/stdin") } else { file });
    Config::load(file, std::env::vars_os(), flags).map_err(|error| match error {
        ConfigError::Invalid(_) => Error::new(error).context("the configuration is wrong"),
        error => error.into(),
    })
}

/// Returns the address at which the process of this configuration serves HTTP.
pub(crate) fn reachable(config: &Config) -> Result<ListenAddress> {
    let Some(listen) = &config.http.listen else {
        bail!(
            "http.listen is off, so the process serves no HTTP: set http.listen to an address, or use --http HOST:PORT"
        );
    };
    Ok(listen.reachable())
}

fn key_and_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.to_owned())),
        None => Err("expected KEY=VALUE, such as topics.metrics=test"),
    }
}
