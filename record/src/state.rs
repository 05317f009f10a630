//! The records of `metrics-state`: rows, and the position that they are true at.

mod position;
mod row;

pub use position::StatePosition;
pub use row::{StateRow, StateRowError, StateRowHeader, StateRowKind};
