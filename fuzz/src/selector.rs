//! Selectors: the first line is one, each other line is a series.

use quipu_record::{Selector, Series};

use crate::series::check_parse_error;
use crate::{Outcome, text};

pub(crate) fn check(input: &[u8]) -> Outcome {
    let Some(text) = text(input) else { return Outcome::Refused };
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    let selector: Selector = match first.parse() {
        Ok(selector) => selector,
        Err(error) => {
            check_parse_error(first, &error);
            return Outcome::Refused;
        }
    };
    assert_eq!(selector.to_string().parse::<Selector>().as_ref(), Ok(&selector));
    let wanted: Series = first.parse().expect("a selector has the form of a series");
    assert_eq!(selector.name(), wanted.name());
    assert!(selector.matches(&wanted.as_ref()), "it selects the series of its own text");
    for series in lines.filter_map(|line| line.parse::<Series>().ok()) {
        let has_labels = wanted.labels().iter().all(|label| series.labels().contains(label));
        assert_eq!(selector.matches(&series.as_ref()), series.name() == wanted.name() && has_labels, "{series}");
    }
    Outcome::Accepted
}
