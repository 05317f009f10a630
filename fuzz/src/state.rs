//! Records of `metrics-state`: rows and the position.

use quipu_record::{Series, StatePosition, StateRow, Value};

use crate::series::check_series;
use crate::{Outcome, check_error};

const ERROR_BYTES: usize = 2000;

pub(crate) fn check(input: &[u8]) -> Outcome {
    match (check_position(input), check_row(input)) {
        (Outcome::Refused, Outcome::Refused) => Outcome::Refused,
        _ => Outcome::Accepted,
    }
}

fn check_position(input: &[u8]) -> Outcome {
    match StatePosition::decode(input) {
        Ok(position) => {
            assert_eq!(StatePosition::decode(&position.encode()), Ok(position));
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
            row.values().for_each(|(series, _)| check_series(series));
            let json = StateRow::encode(&row.header, row.values());
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

fn values(row: &StateRow<'_>) -> Vec<(Series, Value)> {
    row.values().map(|(series, value)| (series.to_series(), value)).collect()
}
