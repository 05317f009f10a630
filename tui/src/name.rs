//! Names that others chose, made harmless for a terminal.

use std::fmt::{self, Write as _};

use serde::Serialize;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Stands for a character that must not reach a terminal and has no picture.
const REPLACEMENT: char = '\u{fffd}';
/// Stands at the end of what was cut.
const ELLIPSIS: char = '…';
/// So many accents may stand on one letter.
const ACCENTS: usize = 2;

/// A text from a record, a broker or a user. It prints harmlessly: whatever would move the cursor, change colours,
/// begin a line or turn the writing direction is replaced. As JSON it is what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Takes a text as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it is, not fit for a terminal.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The harmless text, cut to so many columns and filled up with spaces.
    #[must_use]
    pub fn fit(&self, columns: usize) -> String {
        fit(&self.to_string(), columns)
    }

    /// The harmless text, cut if it takes more than so many columns.
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
                // What has no width of its own can change what stands beside it.
                _ if c.width().unwrap_or(0) == 0 => f.write_char(REPLACEMENT)?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Cuts a harmless text to so many columns and fills it up with spaces. A wide character is never cut in half.
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

/// The picture that Unicode has for a control character.
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
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(shown("a\u{1b}[31mb\r\n\t\0\u{7f}"), "a␛[31mb␍␊␉␀␡");
        assert_eq!(shown("\u{9b}31m \u{202e}abc\u{2066}"), "�31m �abc�");
        assert_eq!(shown("zero\u{200b}width\u{feff}\u{e0041}"), "zero�width��");
        assert_eq!(shown("line\u{2028}line"), "line�line");
    }

    #[test]
    fn letters_of_all_scripts_stay_and_towers_of_accents_do_not() {
        assert_eq!(shown("überweisung 日本語 ação 🦙"), "überweisung 日本語 ação 🦙");
        assert_eq!(shown("e\u{301}"), "e\u{301}");
        let tower = format!("z{}a", "\u{30d}".repeat(50));
        assert_eq!(shown(&tower), "z\u{30d}\u{30d}a");
    }

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(fit("records", 7), "records");
        assert_eq!(fit("records", 9), "records  ");
        assert_eq!(fit("records", 4), "rec…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日… ", "half of a wide character has no place");
        assert_eq!(fit("records", 0), "");
    }

    #[test]
    fn json_has_the_name_as_it_is() {
        let json = serde_json::to_string(&Name::new("a\u{1b}")).expect("a string");
        assert_eq!(json, r#""a\u001b""#);
    }

    proptest! {
        #[test]
        fn nothing_harmful_comes_through_and_the_width_is_exact(text in any::<String>(), columns in 0_usize..40) {
            let shown = shown(&text);
            prop_assert!(!shown.chars().any(char::is_control));
            let fitted = Name::new(text).fit(columns);
            prop_assert_eq!(fitted.width(), columns);
        }
    }
}
