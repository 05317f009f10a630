use regex::{Regex, RegexBuilder};

/// Which rows of a list are shown.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    regex: Option<Regex>,
    is_inverted: bool,
    error: Option<String>,
}

impl Filter {
    /// Reads a filter: a regular expression that is looked for anywhere in the name; a leading `!` inverts it. Without
    /// a capital letter in it, capitals don't matter. The filter of a text that is no expression shows everything.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let (pattern, is_inverted) = text.strip_prefix('!').map_or((text, false), |pattern| (pattern, true));
        let mut filter = Self { text: text.to_owned(), regex: None, is_inverted, error: None };
        if !pattern.is_empty() {
            let any_case = !pattern.chars().any(char::is_uppercase);
            match RegexBuilder::new(pattern).case_insensitive(any_case).size_limit(1 << 20).build() {
                Ok(regex) => filter.regex = Some(regex),
                // The first lines of the error draw the place with carets; the last one says what is wrong.
                Err(error) => filter.error = error.to_string().lines().last().map(str::to_owned),
            }
        }
        filter
    }

    /// Whether a row of this name is shown.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(name) != self.is_inverted)
    }

    /// The text that it was read from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why the text is no filter.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_anywhere_and_an_exclamation_mark_inverts() {
        let allows = |filter: &str, name: &str| Filter::new(filter).allows(name);
        assert!(allows("proc.*auth", r#"records_processed{topic="auth"}"#));
        assert!(!allows("^auth", r#"records_processed{topic="auth"}"#));
        assert!(!allows("!auth", r#"records_processed{topic="auth"}"#));
        assert!(allows("!auth", "records_sent"));
        assert!(allows("", "anything") && allows("!", "anything"));
    }

    #[test]
    fn a_capital_letter_makes_capitals_matter() {
        assert!(Filter::new("app").allows("App-1"));
        assert!(!Filter::new("App").allows("app-1"));
    }

    #[test]
    fn what_is_no_expression_shows_everything_and_says_why() {
        let filter = Filter::new("a(b");
        assert!(filter.allows("anything"));
        assert!(filter.error().is_some_and(|error| error.contains("unclosed group")), "{filter:?}");
        assert!(Filter::new(&format!("({}){{1000}}", "a{1000}")).error().is_some(), "too large to run");
    }
}
