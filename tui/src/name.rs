//! Escapes names from outside, so that they can't control the terminal.

use std::fmt::{self, Write as _};

use serde::Serialize;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Replaces a character that must not reach a terminal and for which Unicode has no picture.
const REPLACEMENT: char = '\u{fffd}';
/// The end of a text that was cut.
const ELLIPSIS: char = '…';
/// How many combining accents a letter may have.
const ACCENTS: usize = 2;

/// A text from a record, a broker or a user. When it is displayed, characters that would move the cursor, change colours,
/// start a line or change the writing direction are replaced. As JSON it is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Creates a name from an unescaped text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the unescaped text, which must not be written to a terminal.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Returns the escaped text, cut to `columns` and padded with spaces.
    #[must_use]
    pub fn fit(&self, columns: usize) -> String {
        fit(&self.to_string(), columns)
    }

    /// Returns the escaped text, cut if it takes more than `columns`.
    #[must_use]
    pub fn at_most(&self, columns: usize) -> String {
        let text = self.to_string();
        if text.width() <= columns { text } else { fit(&text, columns) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut accents = 0;
        for c in self.0.chars() {
            let is_accent = matches!(c, '\u{300}'..='\u{36f}');
            accents = if is_accent { accents + 1 } else { 0 };
            match c {
                '\0'..='\u{1f}' => f.write_char(picture(c))?,
                '\u{7f}' => f.write_char('␡')?,
                _ if is_accent => {
                    if accents <= ACCENTS {
                        f.write_char(c)?;
                    }
                }
                '\u{2028}' | '\u{2029}' => f.write_char(REPLACEMENT)?,
                // A character without a width can change the characters beside it.
                _ if c.width().unwrap_or(0) == 0 => f.write_char(REPLACEMENT)?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Cuts an escaped text to `columns` and pads it with spaces. A wide character is never cut in half.
#[must_use]
pub fn fit(text: &str, columns: usize) -> String {
    let width = text.width();
    let mut fitted = String::with_capacity(text.len() + columns);
    let mut used = 0;
    if width <= columns {
        fitted.push_str(text);
        used = width;
    } else if columns > 0 {
        for c in text.chars() {
            let width = c.width().unwrap_or(0);
            if used + width > columns - 1 {
                break;
            }
            fitted.push(c);
            used += width;
        }
        fitted.push(ELLIPSIS);
        used += 1;
    }
    fitted.extend(std::iter::repeat_n(' ', columns - used));
    fitted
}

/// Returns the picture that Unicode has for a control character.
fn picture(control: char) -> char {
    char::from_u32(0x2400 + u32::from(control)).unwrap_or(REPLACEMENT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        Name::new(text).to_string()
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(shown("a\u{1b}[31mb\r\n\t\0\u{7f}"), "a␛[31mb␍␊␉␀␡");
        assert_eq!(shown("\u{9b}31m \u{202e}abc\u{2066}"), "�31m �abc�");
        assert_eq!(shown("zero\u{200b}width\u{feff}\u{e0041}"), "zero�width��");
        assert_eq!(shown("line\u{2028}line"), "line�line");
    }

    #[test]
    fn letters_of_all_scripts_stay_and_excess_accents_are_removed() {
        assert_eq!(shown("überweisung 日本語 ação 🦙"), "überweisung 日本語 ação 🦙");
        assert_eq!(shown("e\u{301}"), "e\u{301}");
        let tower = format!("z{}a", "\u{30d}".repeat(50));
        assert_eq!(shown(&tower), "z\u{30d}\u{30d}a");
    }

    #[test]
    fn texts_are_cut_to_columns() {
        assert_eq!(fit("records", 7), "records");
        assert_eq!(fit("records", 9), "records  ");
        assert_eq!(fit("records", 4), "rec…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日… ", "half of a wide character does not fit");
        assert_eq!(fit("records", 0), "");
    }

    #[test]
    fn json_has_the_unescaped_name() {
        let json = serde_json::to_string(&Name::new("a\u{1b}")).expect("a string");
        assert_eq!(json, r#""a\u001b""#);
    }

    proptest! {
        #[test]
        fn no_control_character_remains_and_the_width_is_exact(text in any::<String>(), columns in 0_usize..40) {
            let shown = shown(&text);
            prop_assert!(!shown.chars().any(char::is_control));
            let fitted = Name::new(text).fit(columns);
            prop_assert_eq!(fitted.width(), columns);
        }
    }
}
