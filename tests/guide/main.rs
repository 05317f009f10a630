//! The guide in docs/: what it says of the code is compared with the code, and what it says to type is typed.
//!
//! A program that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

mod book;
mod commands;
mod examples;
mod links;
mod reference;
mod sizes;

use quipu_testkit::Quipu;

/// The binary of this build.
const QUIPU: Quipu = Quipu::new(env!("CARGO_BIN_EXE_quipu"));
