//! A series as text: OpenMetrics' form, and Prometheus' quoted form where a name is not an identifier.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::{BadRecord, Series, SeriesRef};

impl fmt::Display for SeriesRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = is_metric_name(self.name);
        if plain {
            f.write_str(self.name)?;
            if self.labels.is_empty() {
                return Ok(());
            }
        }
        f.write_char('{')?;
        if !plain {
            write_quoted(f, self.name)?;
        }
        for (index, (name, value)) in self.labels.iter().enumerate() {
            if index > 0 || !plain {
                f.write_char(',')?;
            }
            if is_label_name(name) {
                f.write_str(name)?;
            } else {
                write_quoted(f, name)?;
            }
            f.write_char('=')?;
            write_quoted(f, value)?;
        }
        f.write_char('}')
    }
}

/// Why a text is not a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSeriesError {
    /// The text is not of the form.
    #[error("at byte {at}: expected {expected}, as in name{{label=\"value\"}}")]
    Syntax {
        /// Where, in bytes from the start.
        at: usize,
        /// What is expected there.
        expected: &'static str,
    },
    /// The form is right, but a name or a value is not allowed.
    #[error(transparent)]
    Invalid(#[from] BadRecord),
}

impl FromStr for Series {
    type Err = ParseSeriesError;

    /// Reads the text form; spaces between the parts and any order of labels are accepted.
    fn from_str(text: &str) -> Result<Self, ParseSeriesError> {
        Parser { text, at: 0 }.series()
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        let (clean, escaped) = rest.split_at(at);
        f.write_str(clean)?;
        f.write_str(match escaped.as_bytes()[0] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        })?;
        rest = &escaped[1..];
    }
    f.write_str(rest)?;
    f.write_char('"')
}

fn is_metric_name(name: &str) -> bool {
    is_identifier(name, |byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':')
}

fn is_label_name(name: &str) -> bool {
    is_identifier(name, |byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn is_identifier(name: &str, may_start: impl Fn(u8) -> bool) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| may_start(*first))
        && bytes.iter().all(|byte| may_start(*byte) || byte.is_ascii_digit())
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn series(mut self) -> Result<Series, ParseSeriesError> {
        let mut name = self.bare().map(str::to_owned);
        let mut labels = Vec::new();
        if self.take('{') {
            while !self.take('}') {
                let quoted = self.rest().starts_with('"');
                let key = match self.bare() {
                    Some(bare) => bare.to_owned(),
                    None => self.quoted()?,
                };
                if self.take('=') {
                    labels.push((key, self.quoted()?));
                } else if quoted && name.is_none() && labels.is_empty() {
                    name = Some(key);
                } else {
                    return Err(self.expected("'='"));
                }
                if !self.take(',') && !self.rest().starts_with('}') {
                    return Err(self.expected("',' or '}'"));
                }
            }
        }
        if !self.rest().is_empty() {
            return Err(self.expected("'{' or the end"));
        }
        let name = name.ok_or_else(|| self.expected("a metric name"))?;
        Ok(Series::new(name, labels)?)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, token: char) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
            self.skip_spaces();
        }
        found
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(' ').len();
    }

    /// An identifier; the metric's may have colons, and here it does no harm if a label's has them too.
    fn bare(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        let bare = &rest[..end];
        is_metric_name(bare).then(|| {
            self.at += end;
            bare
        })
    }

    fn quoted(&mut self) -> Result<String, ParseSeriesError> {
        if !self.rest().starts_with('"') {
            return Err(self.expected("'\"'"));
        }
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find(['"', '\\']) else {
                self.at = self.text.len();
                return Err(self.expected("a closing '\"'"));
            };
            text.push_str(&rest[..end]);
            self.at += end + 1;
            if rest.as_bytes()[end] == b'"' {
                return Ok(text);
            }
            text.push(match self.rest().as_bytes().first() {
                Some(b'\\') => '\\',
                Some(b'"') => '"',
                Some(b'n') => '\n',
                _ => return Err(self.expected("'\\', '\"' or 'n' after a backslash")),
            });
            self.at += 1;
        }
    }

    fn expected(&self, expected: &'static str) -> ParseSeriesError {
        ParseSeriesError::Syntax { at: self.at, expected }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: &str, labels: &[(&str, &str)]) -> String {
        Series::new(name, labels.iter().copied()).expect("a valid series").to_string()
    }

    #[test]
    fn identifiers_stand_bare_and_everything_else_is_quoted() {
        assert_eq!(text("records_processed", &[]), "records_processed");
        assert_eq!(text("a", &[("z", "1"), ("b", "2")]), r#"a{b="2",z="1"}"#);
        assert_eq!(text("my.metric", &[]), r#"{"my.metric"}"#);
        assert_eq!(text("my.metric", &[("a b", "x\"y\\z\n")]), r#"{"my.metric","a b"="x\"y\\z\n"}"#);
        assert_eq!(text("a", &[("empty", "")]), "a");
    }

    #[test]
    fn the_error_of_a_series_names_the_place_and_what_is_expected() {
        let error = |text: &str| text.parse::<Series>().expect_err(text).to_string();
        assert!(error("a{b=1}").starts_with("at byte 4: expected '\"'"));
        assert!(error("a{b=\"1\"").starts_with("at byte 7: expected ',' or '}'"));
        assert!(error("a{b=\"1").starts_with("at byte 6: expected a closing"));
        assert!(error("a b").starts_with("at byte 2: expected '{' or the end"));
        assert!(error("{a=\"1\"}").contains("expected a metric name"));
        assert!(error("").contains("expected a metric name"));
        assert!(error(r#"a{b="1",b="2"}"#).contains("stands twice"));
    }

    #[test]
    fn spaces_and_a_trailing_comma_are_accepted() {
        let series: Series = r#"a{ c = "1", b="2", }"#.parse().expect("a series");
        assert_eq!(series.to_string(), r#"a{b="2",c="1"}"#);
    }

    proptest! {
        #[test]
        fn text_round_trips(name in "\\PC{1,20}|[a-z_:\"\\\\\n{}=,]{1,20}", labels in prop::collection::btree_map("\\PC{1,9}|[a-z:\"\\\\\n]{1,9}", "\\PC{1,9}|[\"\\\\\n\u{1b}{},=]{1,9}", 0..5)) {
            let series = Series::new(name, labels).expect("within the limits");
            prop_assert_eq!(series.to_string().parse::<Series>(), Ok(series));
        }

        #[test]
        fn no_text_panics(text in "[a-z{}=,\"\\\\ \n\u{e9}]{0,30}") {
            let _ = text.parse::<Series>();
        }
    }
}
