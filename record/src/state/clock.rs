use serde::{Deserialize, Serialize};

use super::{StateRowError, check_version, from_json};
use crate::Millis;
use crate::report_writer::write_json;

const VERSION: u64 = 1;

/// The log time and the horizon of a partition, as a record of `metrics-state`.
///
/// They are restored and never computed again: compaction of `metrics` shortens the gaps that log time is the sum of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateClock {
    /// The sum of the gaps between the append times of consecutive records, each at most a minute.
    pub log_time: Millis,
    /// The append time of the newest record, since 1970; none before the first.
    pub appended_at: Option<Millis>,
    /// A run that began at this time or before, and has neither a row nor a marker, begins with a baseline.
    pub horizon: Option<Millis>,
}

#[derive(Serialize, Deserialize)]
struct Json {
    v: u64,
    log_time: Millis,
    appended_at: Option<Millis>,
    horizon: Option<Millis>,
}

impl StateClock {
    /// Reads it.
    ///
    /// # Errors
    /// The value is not JSON, not of the shape, or of another version.
    pub fn decode(value: &[u8]) -> Result<Self, StateRowError> {
        let Json { v, log_time, appended_at, horizon } = from_json(value)?;
        check_version(v, VERSION)?;
        Ok(Self { log_time, appended_at, horizon })
    }

    /// Writes it.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let Self { log_time, appended_at, horizon } = self;
        let mut json = Vec::new();
        write_json(&mut json, &Json { v: VERSION, log_time, appended_at, horizon });
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_round_trips() {
        for clock in [
            StateClock::default(),
            StateClock { log_time: Millis(7), appended_at: Some(Millis(8)), horizon: Some(Millis(9)) },
        ] {
            assert_eq!(StateClock::decode(&clock.encode()), Ok(clock));
        }
    }

    #[test]
    fn another_shape_or_version_is_an_error() {
        let other = br#"{"v":9,"log_time":1,"appended_at":null,"horizon":null}"#;
        assert_eq!(StateClock::decode(other), Err(StateRowError::UnknownVersion(9)));
        assert!(matches!(StateClock::decode(b"{}"), Err(StateRowError::Shape(_))));
    }
}
