use serde::{Deserialize, Serialize};

use super::{StateRowError, check_version, from_json};
use crate::Millis;
use crate::report_writer::write_json;

const VERSION: u64 = 1;

/// What is kept of a run, or of a plain key, that expired: its values are in the retired sums, so a late record of it must
/// not count them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateMarker {
    /// When the run began, by its id, or the latest start of a plain key; none if the run's id has no time.
    pub began: Option<Millis>,
    /// The highest `seq` of the run; 0 for a plain key.
    pub seq: u64,
    /// The log time from which on the marker is kept: that at which the run expired, or later if its clock was ahead.
    pub log_time: Millis,
}

#[derive(Serialize, Deserialize)]
struct Json {
    v: u64,
    began: Option<Millis>,
    seq: u64,
    log_time: Millis,
}

impl StateMarker {
    /// Reads it.
    ///
    /// # Errors
    /// The value is not JSON, not of the shape, or of another version.
    pub fn decode(value: &[u8]) -> Result<Self, StateRowError> {
        let Json { v, began, seq, log_time } = from_json(value)?;
        check_version(v, VERSION)?;
        Ok(Self { began, seq, log_time })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let Self { began, seq, log_time } = self;
        let mut json = Vec::new();
        write_json(&mut json, &Json { v: VERSION, began, seq, log_time });
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_round_trips() {
        for began in [None, Some(Millis(1_718_900_000_000))] {
            let marker = StateMarker { began, seq: u64::MAX, log_time: Millis(5) };
            assert_eq!(StateMarker::decode(&marker.encode()), Ok(marker));
        }
    }
}
