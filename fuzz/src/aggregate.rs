//! Records of `metrics-agg`, which are also the lines of the sink to standard output.

use quipu_record::Aggregate;

use crate::series::check_series;
use crate::{Outcome, check_error};

const ERROR_BYTES: usize = 2000;

pub(crate) fn check(input: &[u8]) -> Outcome {
    let decoded = Aggregate::decode(input);
    assert_eq!(decoded, Aggregate::decode(input));
    match decoded {
        Ok(aggregate) => {
            check_series(aggregate.series.as_ref());
            let json = aggregate.to_json();
            assert!(!json.contains(&b'\n'), "one line");
            assert_eq!(Aggregate::decode(&json), Ok(aggregate));
            Outcome::Accepted
        }
        Err(error) => {
            check_error(&error, ERROR_BYTES);
            Outcome::Refused
        }
    }
}
