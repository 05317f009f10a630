//! `quipu man`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory as _};
use clap_mangen::{Man, generate_to};

use crate::cli::Cli;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu man | man -l -
  quipu man ~/.local/share/man/man1             quipu.1, quipu-aggregate.1, …";

#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// Write a page for each command into this folder, which is created if it does not exist [default: write the page of
    /// quipu itself to standard output]
    folder: Option<PathBuf>,
}

pub(crate) fn run(options: &ManOptions) -> Result<ExitCode> {
    let Some(folder) = &options.folder else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page).context("the page can't be written")?;
        return output::print(&String::from_utf8_lossy(&page));
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| generate_to(Cli::command(), folder));
    written.with_context(|| format!("can't write the pages into {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
