use serde::Deserialize;

use crate::error::excerpt;
use crate::{Offset, StateRowError};

const VERSION: u64 = 1;

/// The position on `metrics` that the rows of `metrics-state` reflect, as a record among them.
///
/// Every commit writes it, in the transaction of the rows and the totals; without transactions it is written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatePosition {
    /// The next offset of `metrics` to read.
    pub position: Offset,
}

impl StatePosition {
    /// Its key on `metrics-state`. It is not UTF-8, so it can't be the key of a row.
    pub const KEY: &'static [u8] = b"\xffposition";

    /// Reads it.
    ///
    /// # Errors
    /// The value is not JSON, not of the shape, or of another version.
    pub fn decode(value: &[u8]) -> Result<Self, StateRowError> {
        #[derive(Deserialize)]
        struct Raw {
            v: u64,
            position: Offset,
        }
        let raw: Raw =
            serde_json::from_slice(value).map_err(|error| StateRowError::Shape(excerpt(&error.to_string())))?;
        match raw {
            Raw { v: VERSION, position } => Ok(Self { position }),
            Raw { v, .. } => Err(StateRowError::UnknownVersion(v)),
        }
    }

    /// Writes it.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        format!("{{\"v\":{VERSION},\"position\":{}}}", self.position).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BadRecord, Key};

    #[test]
    fn no_row_has_its_key() {
        assert_eq!(Key::decode(Some(StatePosition::KEY)), Err(BadRecord::KeyNotUtf8));
    }

    #[test]
    fn it_round_trips() {
        for position in [0, 7, i64::MAX] {
            let written = StatePosition { position: Offset(position) };
            assert_eq!(StatePosition::decode(&written.encode()), Ok(written));
        }
    }

    #[test]
    fn another_shape_or_version_is_an_error() {
        assert_eq!(StatePosition::decode(br#"{"v":2,"position":7}"#), Err(StateRowError::UnknownVersion(2)));
        for value in ["", "{}", r#"{"v":1}"#, r#"{"v":1,"position":"7"}"#] {
            assert!(matches!(StatePosition::decode(value.as_bytes()), Err(StateRowError::Shape(_))), "{value}");
        }
    }
}
