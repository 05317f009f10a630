//! Records of `metrics-state`: rows, the position, the log time, markers and retired sums; without their keys.

use std::fmt::Debug;

use quipu_record::{
    Series, SeriesRef, StateClock, StateMarker, StatePosition, StateRetired, StateRow, StateRowError, Value,
};

use crate::series::check_series;
use crate::{Outcome, check_error};

const ERROR_BYTES: usize = 2000;

pub(crate) fn check(input: &[u8]) -> Outcome {
    let outcomes = [
        check_row(input),
        check_record(input, StatePosition::decode, StatePosition::encode),
        check_record(input, StateClock::decode, StateClock::encode),
        check_record(input, StateMarker::decode, StateMarker::encode),
        check_record(input, StateRetired::decode, StateRetired::encode),
    ];
    if outcomes.contains(&Outcome::Accepted) { Outcome::Accepted } else { Outcome::Refused }
}

fn check_record<T: Copy + PartialEq + Debug>(
    input: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, StateRowError>,
    encode: impl Fn(T) -> Vec<u8>,
) -> Outcome {
    match decode(input) {
        Ok(record) => {
            assert_eq!(decode(&encode(record)), Ok(record));
            Outcome::Accepted
        }
        Err(error) => {
            check_error(&error, ERROR_BYTES);
            Outcome::Refused
        }
    }
}

fn check_row(input: &[u8]) -> Outcome {
    match StateRow::decode(input) {
        Ok(row) => {
            row.values().chain(row.baseline()).for_each(|(series, _)| check_series(series));
            let json = StateRow::encode(&row.header, row.values(), row.baseline());
            let again = StateRow::decode(&json).expect("a row that was encoded");
            assert_eq!((again.header, values(&again)), (row.header, values(&row)));
            Outcome::Accepted
        }
        Err(error) => {
            check_error(&error, ERROR_BYTES);
            Outcome::Refused
        }
    }
}

/// The values, and those that do not count.
fn values(row: &StateRow<'_>) -> [Vec<(Series, Value)>; 2] {
    let owned = |(series, value): (SeriesRef<'_>, Value)| (series.to_series(), value);
    [row.values().map(owned).collect(), row.baseline().map(owned).collect()]
}
