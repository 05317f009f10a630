//! The binary `quipu`.

mod cli;
mod commands;
mod config_options;
mod help;
mod http_client;
mod log_filter;
mod logging;
mod output;
mod progress;
mod signals;
mod visible;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use cli::{Cli, Command};
use commands::{aggregate, completions, config, demo, explain, forget, health, man, sink, top, verify};

/// The allocator of the Rust code and of the C libraries.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(Cli::parse()).unwrap_or_else(|error| output::fail(&error))
}

fn run(cli: Cli) -> Result<ExitCode> {
    cli.logging.start(|has_file| cli.command.default_log_level(has_file))?;
    match cli.command {
        Command::Aggregate(options) => aggregate::run(options),
        Command::Completions(options) => completions::run(&options),
        Command::Config(command) => config::run(&command),
        Command::Demo(options) => demo::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Forget(options) => forget::run(options),
        Command::Health(options) => health::run(options),
        Command::Man(options) => man::run(&options),
        Command::Sink(options) => sink::run(options),
        Command::Top(options) => top::run(options),
        Command::Verify(options) => verify::run(options),
        Command::DemoChild { child } => demo::run_child(&child),
    }
}
