//! The parameters of a request to the query API. The answer to a wrong one names it, what is wrong, and what is allowed.

use std::fmt::Display;

use axum::extract::Query;
use axum::http::Uri;
use quipu_record::{Selector, Series};

use super::query::QueryError;

/// How many totals or rows an answer has at most, unless the query has a limit.
const DEFAULT_LIMIT: usize = 1000;
/// The highest limit that a query may have.
const MAX_LIMIT: usize = 10_000;
/// How much of a text an error repeats.
const SHOWN_CHARS: usize = 100;

/// The parameters of one request, each of which the route knows and which occurs once.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query string of a route that knows these parameters.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Self, QueryError> {
        let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| QueryError::BadRequest(error.body_text()))?;
        for (index, (name, _)) in given.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let allowed = match known {
                    [] => "this route has no parameters".to_owned(),
                    known => format!("this route has {}", known.join(", ")),
                };
                return Err(wrong(name, format_args!("unknown parameter; {allowed}")));
            }
            if given[..index].iter().any(|(other, _)| other == name) {
                return Err(wrong(name, "is given more than once; give it once"));
            }
        }
        Ok(Self(given))
    }

    /// Returns the selector `match`.
    pub(super) fn selector(&self) -> Result<Option<Selector>, QueryError> {
        let allowed = r#"a metric's name, or a name with labels: records_processed{topic="auth"}"#;
        self.parsed("match", "no selector", allowed)
    }

    /// Returns the series `after`, with which the page before ended.
    pub(super) fn after_series(&self) -> Result<Option<Series>, QueryError> {
        self.parsed("after", "no series", "the series in `next` of the page before, percent-encoded")
    }

    /// Returns the series `series`, which must be given.
    pub(super) fn series(&self) -> Result<Series, QueryError> {
        let allowed = r#"a metric's name with all labels: records_processed{topic="auth"}, percent-encoded"#;
        let given = self.parsed("series", "no series", allowed)?;
        given.ok_or_else(|| wrong("series", format_args!("is missing; allowed: {allowed}")))
    }

    /// Returns the number `after`, with which the page before ended.
    pub(super) fn after_row(&self) -> Result<Option<usize>, QueryError> {
        self.parsed("after", "no whole number", "the number in `next` of the page before")
    }

    /// Returns `limit`, or its default.
    pub(super) fn limit(&self) -> Result<usize, QueryError> {
        let allowed = format!("1 to {MAX_LIMIT}");
        let limit = self.parsed("limit", "no whole number", &allowed)?.unwrap_or(DEFAULT_LIMIT);
        match limit {
            1..=MAX_LIMIT => Ok(limit),
            0 => Err(wrong("limit", format_args!("0 is too low; allowed: {allowed}"))),
            _ => Err(wrong("limit", format_args!("{limit} is too high; allowed: {allowed}"))),
        }
    }

    fn parsed<T: std::str::FromStr<Err: Display>>(
        &self,
        name: &str,
        is_not: &str,
        allowed: &str,
    ) -> Result<Option<T>, QueryError> {
        let Some((_, text)) = self.0.iter().find(|(given, _)| given == name) else { return Ok(None) };
        let error = |why| wrong(name, format_args!("{} is {is_not}: {why}; allowed: {allowed}", quoted(text)));
        text.parse().map(Some).map_err(error)
    }
}

fn wrong(name: &str, why: impl Display) -> QueryError {
    QueryError::BadRequest(format!("{}: {why}", shortened(name)))
}

fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

/// Cuts a long text, so that the answer is not as long as the request.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str, known: &[&str]) -> Result<Parameters, QueryError> {
        Parameters::read(&format!("/api/v1/x?{query}").parse().expect("a URI"), known)
    }

    #[test]
    fn parameters_are_decoded_and_have_defaults() {
        let none = Parameters::read(&Uri::from_static("/api/v1/x"), &[]).expect("no parameters");
        assert_eq!((none.limit(), none.selector(), none.after_row()), (Ok(1000), Ok(None), Ok(None)));
        let given = read("limit=7&after=a%7Bb%3D%22c+d%22%7D", &["after", "limit"]).expect("parameters");
        assert_eq!(given.limit(), Ok(7));
        assert_eq!(given.after_series().expect("a series"), r#"a{b="c d"}"#.parse().ok());
    }

    #[test]
    fn an_error_names_the_parameter_what_is_wrong_and_what_is_allowed() {
        fn of<T>(query: &str, get: impl Fn(&Parameters) -> Result<T, QueryError>) -> String {
            let known = ["match", "limit", "after", "series"];
            read(query, &known).and_then(|given| get(&given)).err().expect(query).to_string()
        }
        assert_eq!(of("limit=0", Parameters::limit), "limit: 0 is too low; allowed: 1 to 10000");
        assert_eq!(of("limit=10001", Parameters::limit), "limit: 10001 is too high; allowed: 1 to 10000");
        for text in ["", "x", "-1", "1e3", "99999999999999999999"] {
            let error = of(&format!("limit={text}"), Parameters::limit);
            assert!(error.starts_with(&format!("limit: {text:?} is no whole number: ")), "{error}");
            assert!(error.ends_with("; allowed: 1 to 10000"), "{error}");
        }
        let error = of("match=a%7B", Parameters::selector);
        assert!(error.starts_with(r#"match: "a{" is no selector: at byte 2"#), "{error}");
        assert!(error.ends_with(r#"allowed: a metric's name, or a name with labels: records_processed{topic="auth"}"#));
        let error = of("after=", Parameters::after_series);
        assert!(error.starts_with(r#"after: "" is no series: "#) && error.contains("`next`"), "{error}");
        let error = of("", Parameters::series);
        assert!(error.starts_with("series: is missing; allowed: a metric's name with all labels: "), "{error}");
        let error = of("series=a%7B", Parameters::series);
        assert!(error.starts_with(r#"series: "a{" is no series: "#), "{error}");
        let error = of("after=a", Parameters::after_row);
        assert!(error.starts_with(r#"after: "a" is no whole number: "#) && error.contains("`next`"), "{error}");
        let long = of(&format!("limit={}", "é".repeat(10_000)), Parameters::limit);
        assert!(long.len() < 400 && long.contains("é…\" is no whole number"), "{long}");
        assert_eq!(
            of("mach=a", Parameters::limit),
            "mach: unknown parameter; this route has match, limit, after, series"
        );
        assert_eq!(of("limit=1&limit=2", Parameters::limit), "limit: is given more than once; give it once");
        assert_eq!(
            read("x=1", &[]).expect_err("no parameters").to_string(),
            "x: unknown parameter; this route has no parameters"
        );
    }
}
