//! The stack of docker-compose.yml, as far as it can be checked without an engine: against the published schema and its
//! own files, with the real binaries on what is mounted; and the experiment's programs on a real broker.
//!
//! A program that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

mod broker;
mod configurations;
mod experiment;
mod file;
mod image;
mod stack;
