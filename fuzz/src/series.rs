//! The text form of a series.

use quipu_record::{ParseSeriesError, Series, SeriesRef, limits};

use crate::{Outcome, check_error, prometheus, text};

/// Bad labels are quoted in errors, with escapes.
const ERROR_BYTES: usize = 2000;

pub(crate) fn check(input: &[u8]) -> Outcome {
    let Some(text) = text(input) else { return Outcome::Refused };
    match text.parse::<Series>() {
        Ok(series) => {
            check_series(series.as_ref());
            Outcome::Accepted
        }
        Err(error) => {
            check_parse_error(text, &error);
            Outcome::Refused
        }
    }
}

/// What holds for every series, wherever it was read.
pub(crate) fn check_series(series: SeriesRef<'_>) {
    assert!((1..=limits::NAME_BYTES).contains(&series.name().len()));
    assert!(series.labels().len() <= limits::LABELS);
    assert!(series.labels().is_sorted_by(|a, b| a.0 < b.0), "sorted, each name once");
    for (name, value) in series.labels() {
        assert!((1..=limits::LABEL_NAME_BYTES).contains(&name.len()));
        assert!((1..=limits::LABEL_VALUE_BYTES).contains(&value.len()), "an empty value is no label");
        assert_eq!(series.label(name), Some(value.as_ref()));
    }
    let owned = series.to_series();
    let text = series.to_string();
    assert_eq!(text.parse(), Ok(owned), "{text}");
    let (name, labels, rest) = prometheus::read_series(&text);
    assert_eq!((name.as_str(), rest), (series.name(), ""), "{text}");
    let expected: Vec<_> = series.labels().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    assert_eq!(labels, expected, "{text}");
}

pub(crate) fn check_parse_error(text: &str, error: &ParseSeriesError) {
    check_error(error, ERROR_BYTES);
    if let ParseSeriesError::Syntax { at, .. } = error {
        assert!(text.is_char_boundary(*at), "{error}");
    }
}
