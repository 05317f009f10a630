//! `quipu config`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use quipu_config::Config;

use crate::config_options::{load, named_file};
use crate::help::fit;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu config show --defaults > quipu.toml     write the default configuration to a file
  quipu config check quipu.toml
  quipu config show quipu.toml                  show the values that this file and the environment give
  QUIPU_CONFIG=quipu.toml quipu config check    the same file as for the other commands
  quipu config show | quipu config check -

Exit codes: 0 if the configuration is right, 78 if it is wrong.";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration that a file and the environment give, or the defaults with comments if nothing differs
    #[command(after_help = fit(EXAMPLES))]
    Show {
        /// The file, or - for standard input; secrets are shown as *** [default: QUIPU_CONFIG]
        file: Option<PathBuf>,
        /// Print the defaults with comments, whatever the environment sets
        #[arg(long, conflicts_with = "file")]
        defaults: bool,
    },
    /// Report all mistakes in a file, the environment and the secret files, and whether this machine can run it
    #[command(after_help = fit(EXAMPLES))]
    Check {
        /// The file, or - for standard input [default: QUIPU_CONFIG]
        file: Option<PathBuf>,
    },
}

pub(crate) fn run(command: &ConfigCommand) -> Result<ExitCode> {
    match command {
        ConfigCommand::Show { defaults: true, .. } => output::print(Config::EXAMPLE),
        ConfigCommand::Show { file, .. } => {
            let config = load(source(file.as_deref()).as_deref(), Vec::new())?;
            if config == Config::default() {
                return output::print(Config::EXAMPLE);
            }
            output::print(&config.to_toml().context("the configuration can't be shown")?)
        }
        ConfigCommand::Check { file } => {
            let file = source(file.as_deref());
            let config = load(file.as_deref(), Vec::new())?;
            quipu_aggregator::store::check(&config)?;
            let checked = file.map_or("environment".to_owned(), |file| file.display().to_string());
            output::print(&format!("{checked}: ok\n"))
        }
    }
}

/// The file of the command line, or else of the environment.
fn source(file: Option<&Path>) -> Option<PathBuf> {
    file.map(Path::to_owned).or_else(|| named_file(std::env::var_os("QUIPU_CONFIG")))
}
