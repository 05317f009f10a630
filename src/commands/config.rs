//! `quipu config`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use quipu_config::Config;

use crate::config_options::load;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu config show > quipu.toml                begin a configuration
  quipu config check quipu.toml
  quipu config show quipu.toml                  what holds with this file and this environment
  quipu config show | quipu config check -";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the defaults with comments, or what a file and the environment set
    #[command(after_help = EXAMPLES)]
    Show {
        /// The file, or - for standard input; secrets are shown as ***
        file: Option<PathBuf>,
    },
    /// Find everything that is wrong in a file (exit code 2), together with the environment and the secret files
    #[command(after_help = EXAMPLES)]
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
