//! The guide in docs/: what it says of the code is compared with the code, and what it says to type is typed.
//!
//! A program that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

mod book;
mod commands;
mod examples;
mod links;
#[path = "../compose/python.rs"]
mod python;
mod reference;
mod sizes;
#[allow(dead_code, unused_imports, reason = "it is the end-to-end tests', which use the rest of it")]
#[path = "../e2e/support/mod.rs"]
mod support;
