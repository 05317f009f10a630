//! `quipu config`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use quipu_config::Config;

use crate::config_options::load;
use crate::help::fit;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu config show > quipu.toml                write the default configuration to a file
  quipu config check quipu.toml
  quipu config show quipu.toml                  show the values that this file and the environment give
  quipu config show | quipu config check -";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the defaults with comments, or the configuration that a file and the environment give
    #[command(after_help = fit(EXAMPLES))]
    Show {
        /// The file, or - for standard input; secrets are shown as ***
        file: Option<PathBuf>,
    },
    /// Report all mistakes in a file, the environment and the secret files (exit code 2 if there are any)
    #[command(after_help = fit(EXAMPLES))]
    Check {
        /// The file, or - for standard input
        file: PathBuf,
    },
}

pub(crate) fn run(command: &ConfigCommand) -> Result<ExitCode> {
    match command {
        ConfigCommand::Show { file: None } => output::print(Config::EXAMPLE),
        ConfigCommand::Show { file: Some(file) } => {
            let shown = load(Some(file), Vec::new())?.to_toml().context("the configuration can't be shown")?;
            output::print(&shown)
        }
        ConfigCommand::Check { file } => {
            load(Some(file), Vec::new())?;
            output::print(&format!("{}: ok\n", file.display()))
        }
    }
}
