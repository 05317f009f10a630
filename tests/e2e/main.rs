//! End to end: the binary `quipu` and foreign clients around real servers.
//!
//! A server that is not to be had skips the test and says why, except under `CI=true`, where it fails it.

mod servers;
mod support;
mod usage;
