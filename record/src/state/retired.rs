use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::row::parse_decimal;
use super::{StateRowError, check_version};
use crate::error::excerpt;
use crate::report_writer::write_json;

const VERSION: u64 = 1;

/// What the expired rows contributed to one series, as a record of `metrics-state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateRetired {
    /// Their sum.
    pub sum: RetiredSum,
    /// How many rows it is the sum of.
    pub rows: u64,
}

/// The sum of what expired rows contributed, by type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetiredSum {
    /// What was counted.
    Counter(i128),
}

#[derive(Serialize, Deserialize)]
struct Json<'a> {
    v: u64,
    #[serde(borrow)]
    counter: Cow<'a, str>,
    rows: u64,
}

impl StateRetired {
    /// Reads it.
    ///
    /// # Errors
    /// The value is not JSON, not of the shape, or of another version.
    pub fn decode(value: &[u8]) -> Result<Self, StateRowError> {
        let Json { v, counter, rows } =
            serde_json::from_slice(value).map_err(|error| StateRowError::Shape(excerpt(&error.to_string())))?;
        check_version(v, VERSION)?;
        Ok(Self { sum: RetiredSum::Counter(parse_decimal(&counter)?), rows })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let Self { sum: RetiredSum::Counter(counter), rows } = self;
        let mut json = Vec::new();
        write_json(&mut json, &Json { v: VERSION, counter: counter.to_string().into(), rows });
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_round_trips() {
        for counter in [0, -1, i128::MAX] {
            let retired = StateRetired { sum: RetiredSum::Counter(counter), rows: 3 };
            assert_eq!(StateRetired::decode(&retired.encode()), Ok(retired));
        }
    }
}
