//! The stack of docker-compose.yml, checked as far as possible without a container engine: against the published
//! schema, its own files, and the real programs that read the mounted files. The experiment's programs run with a real
//! broker.
//!
//! If a program is not available, its test is skipped and logs the reason. With `CI=true` it fails instead.

mod broker;
mod configurations;
mod experiment;
mod file;
mod image;
mod stack;
