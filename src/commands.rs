//! The subcommands, one file each.

pub(crate) mod aggregate;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod forget;
pub(crate) mod health;
pub(crate) mod man;
pub(crate) mod sink;
pub(crate) mod top;
pub(crate) mod verify;
