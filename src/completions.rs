//! `quipu completions`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Command, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu completions bash > ~/.local/share/bash-completion/completions/quipu
  quipu completions zsh > ~/.zfunc/_quipu       with fpath+=~/.zfunc before compinit in ~/.zshrc
  quipu completions fish > ~/.config/fish/completions/quipu.fish";

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// For which shell
    shell: Shell,
}

pub(crate) fn run(options: &CompletionsOptions) -> Result<ExitCode> {
    let mut script = Vec::new();
    generate(options.shell, &mut shown(), "quipu", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

/// The command line without what is hidden, which the scripts would offer.
fn shown() -> Command {
    let all = Cli::command();
    let subcommands = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("quipu").args(all.get_arguments().cloned()).subcommands(subcommands)
}
