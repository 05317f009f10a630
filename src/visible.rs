//! Escapes control characters in text from outside, which could control the terminal or forge lines.

use std::fmt::Write as _;

/// Appends `text`. Control characters, line separators and characters that change the writing direction are escaped,
/// except those for which `keep` returns true.
pub(crate) fn push_visible(out: &mut String, text: &str, keep: impl Fn(char) -> bool) {
    for c in text.chars() {
        if keep(c) || !(c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
            out.push(c);
        } else {
            // Writing to a string can't fail.
            let _ = write!(out, "{}", c.escape_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_letters_are_not() {
        let mut out = String::new();
        push_visible(&mut out, "é→\t\u{1b}[2J\r\n\u{9b}\u{202e}\u{2028}x", |c| c == '\t');
        assert_eq!(out, "é→\t\\u{1b}[2J\\r\\n\\u{9b}\\u{202e}\\u{2028}x");
    }
}
