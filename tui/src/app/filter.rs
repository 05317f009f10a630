use regex::{Regex, RegexBuilder};

/// A filter, which decides which rows of a list are shown.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    regex: Option<Regex>,
    is_inverted: bool,
    error: Option<String>,
}

impl Filter {
    /// Parses a filter: a regular expression that matches anywhere in the name; a leading `!` inverts it. It is
    /// case-insensitive unless it has a capital letter. If the text is no valid expression, the filter shows all rows.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let (pattern, is_inverted) = text.strip_prefix('!').map_or((text, false), |pattern| (pattern, true));
        let mut filter = Self { text: text.to_owned(), regex: None, is_inverted, error: None };
        if !pattern.is_empty() {
            let any_case = !pattern.chars().any(char::is_uppercase);
            match RegexBuilder::new(pattern).case_insensitive(any_case).size_limit(1 << 20).build() {
                Ok(regex) => filter.regex = Some(regex),
                // The first lines of the error mark the position with carets; the last line has the reason.
                Err(error) => filter.error = error.to_string().lines().last().map(str::to_owned),
            }
        }
        filter
    }

    /// Returns whether a row with this name is shown.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(name) != self.is_inverted)
    }

    /// Returns the text that the filter was parsed from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns why the text is no valid filter.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_anywhere_and_an_exclamation_mark_inverts() {
        let allows = |filter: &str, name: &str| Filter::new(filter).allows(name);
        assert!(allows("proc.*auth", r#"records_processed{topic="auth"}"#));
        assert!(!allows("^auth", r#"records_processed{topic="auth"}"#));
        assert!(!allows("!auth", r#"records_processed{topic="auth"}"#));
        assert!(allows("!auth", "records_sent"));
        assert!(allows("", "anything") && allows("!", "anything"));
    }

    #[test]
    fn a_filter_with_a_capital_letter_is_case_sensitive() {
        assert!(Filter::new("app").allows("App-1"));
        assert!(!Filter::new("App").allows("app-1"));
    }

    #[test]
    fn an_invalid_filter_shows_all_rows_and_has_an_error() {
        let filter = Filter::new("a(b");
        assert!(filter.allows("anything"));
        assert!(filter.error().is_some_and(|error| error.contains("unclosed group")), "{filter:?}");
        assert!(Filter::new(&format!("({}){{1000}}", "a{1000}")).error().is_some(), "too large to run");
    }
}
