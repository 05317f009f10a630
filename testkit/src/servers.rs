//! Real servers and other programs, most of them started by the scripts in `tests/servers`.

mod kafka;
mod kcat;
mod python;
mod server;

pub use kafka::{Kafka, Script, SecureKafka};
pub use kcat::Kcat;
pub use python::python;
pub use server::Server;
