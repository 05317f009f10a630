//! `quipu completions`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Command, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::cli::{Cli, VERSION};
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu completions bash > ~/.local/share/bash-completion/completions/quipu
  quipu completions zsh > ~/.zfunc/_quipu       with fpath+=~/.zfunc before compinit in ~/.zshrc
  quipu completions fish > ~/.config/fish/completions/quipu.fish";

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell for which the script is
    shell: Shell,
}

pub(crate) fn run(options: &CompletionsOptions) -> Result<ExitCode> {
    let mut script = Vec::new();
    generate(options.shell, &mut shown(), "quipu", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}

/// Returns the command line without hidden commands, which the scripts would otherwise offer.
fn shown() -> Command {
    let all = Cli::command();
    let subcommands = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("quipu")
        .version(VERSION)
        .propagate_version(true)
        .args(all.get_arguments().cloned())
        .subcommands(subcommands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_offered_wherever_it_is_an_option() {
        let mut all = Cli::command();
        let mut shown = shown();
        all.build();
        shown.build();
        let has_version = |command: &Command| command.get_arguments().any(|argument| argument.get_id() == "version");
        assert!(has_version(&all) && has_version(&shown));
        for command in shown.get_subcommands() {
            let same = all.find_subcommand(command.get_name()).expect("the subcommand exists");
            assert_eq!(has_version(command), has_version(same), "{}", command.get_name());
        }
    }
}
