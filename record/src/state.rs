//! The records of `metrics-state`: rows, the position that they are true at, and what is kept of rows that expired.

mod clock;
mod key;
mod marker;
mod position;
mod retired;
mod row;

use serde::de::DeserializeOwned;

use crate::error::excerpt;

pub use clock::StateClock;
pub use key::StateKey;
pub use marker::StateMarker;
pub use position::StatePosition;
pub use retired::{RetiredSum, StateRetired};
pub use row::{Life, StateRow, StateRowError, StateRowHeader, StateRowKind};

fn from_json<T: DeserializeOwned>(value: &[u8]) -> Result<T, StateRowError> {
    serde_json::from_slice(value).map_err(|error| StateRowError::Shape(excerpt(&error.to_string())))
}

/// Whether this version reads the version of a record.
fn check_version(found: u64, read: u64) -> Result<(), StateRowError> {
    if found == read { Ok(()) } else { Err(StateRowError::UnknownVersion(found)) }
}
