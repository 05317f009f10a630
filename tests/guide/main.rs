//! The guide in docs/ is compared with the code, and its commands are run.
//!
//! If a program is not available, its test is skipped and logs the reason. With `CI=true` it fails instead.

mod book;
mod commands;
mod examples;
mod links;
mod reference;
mod security;
mod sizes;

use quipu_testkit::Quipu;

/// The binary of this build.
const QUIPU: Quipu = Quipu::new(env!("CARGO_BIN_EXE_quipu"));
