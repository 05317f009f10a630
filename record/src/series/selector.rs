use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ParseSeriesError, Series, SeriesRef};

/// Which series are meant: those of a name that have certain labels.
///
/// Its text form is that of a series: `records_processed` selects all series of that name,
/// `records_processed{topic="auth"}` those of them whose label `topic` is `auth`, whatever their other labels. As in a
/// series, a label with an empty value is the same as no label, so it selects nothing and excludes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Series);

impl Selector {
    /// The name of the series that are meant.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Whether the series is one of those meant.
    #[must_use]
    pub fn matches(&self, series: &SeriesRef<'_>) -> bool {
        self.0.name() == series.name()
            && self.0.labels().iter().all(|(name, value)| series.label(name) == Some(value.as_ref()))
    }
}

impl FromStr for Selector {
    type Err = ParseSeriesError;

    fn from_str(text: &str) -> Result<Self, ParseSeriesError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selector: &str, series: &str, expected: bool) {
        let selector: Selector = selector.parse().expect("a selector");
        let series: Series = series.parse().expect("a series");
        assert_eq!(selector.matches(&series.as_ref()), expected);
    }

    #[test]
    fn a_name_selects_all_its_series_and_a_label_only_those_that_have_it() {
        check("a", "a", true);
        check("a", r#"a{topic="auth"}"#, true);
        check("a", "ab", false);
        check(r#"a{topic="auth"}"#, r#"a{env="x",topic="auth",zone="y"}"#, true);
        check(r#"a{topic="auth"}"#, r#"a{topic="authz"}"#, false);
        check(r#"a{topic="auth"}"#, "a", false);
        check(r#"a{env="x",topic="auth"}"#, r#"a{topic="auth"}"#, false);
        check(r#"{"my.metric",topic="auth"}"#, r#"{"my.metric",topic="auth"}"#, true);
        check(r#"a{topic=""}"#, r#"a{topic="auth"}"#, true);
    }

    #[test]
    fn the_error_of_a_selector_names_the_place() {
        let error = r#"a{topic=~"auth"}"#.parse::<Selector>().expect_err("only equality");
        assert!(error.to_string().starts_with("at byte 8: expected '\"'"), "{error}");
        assert!("".parse::<Selector>().is_err());
        assert!("{}".parse::<Selector>().is_err());
    }

    #[test]
    fn the_text_form_round_trips() {
        let text = r#"records_processed{topic="auth"}"#;
        assert_eq!(text.parse::<Selector>().expect("a selector").to_string(), text);
    }
}
