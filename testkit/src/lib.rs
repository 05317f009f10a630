//! What tests share: servers, clients, processes, records, the oracle, and waiting with a deadline. Development only.
//!
//! The path of the `quipu` binary is available only to tests of its own package; they begin with
//! `Quipu::new(env!("CARGO_BIN_EXE_quipu"))`.

#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "only tests use this crate: they fail by panicking, and the names are documentation enough"
)]

mod aggregator;
mod cluster;
pub mod configured;
pub mod fleet;
pub mod fold;
mod freeze;
pub mod http;
mod missing;
pub mod oracle;
mod outsider;
mod probe;
mod process;
mod records;
mod running;
mod servers;
mod waiting;

pub use aggregator::{Aggregator, Pipeline};
pub use cluster::Cluster;
pub use fleet::Fleet;
pub use freeze::Frozen;
pub use missing::{Missing, require};
pub use outsider::{Outsider, count_of};
pub use probe::get;
pub use process::{Finished, Process, Quipu, with_hangup};
pub use records::{plain, report, run};
pub use running::{Running, Stopped};
pub use servers::{Kafka, Kcat, Script, SecureKafka, Server, python};
pub use waiting::{DEADLINE, Stop, StopGuard, eventually};
