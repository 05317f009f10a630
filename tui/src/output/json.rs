use std::fmt::Write as _;

use crate::view::Report;

/// Writes one line of JSON. Characters that could control a terminal are escaped as in JSON, so a parser reads the
/// original names.
pub(super) fn text(report: &Report) -> String {
    // A report has string keys and finite numbers only, so it can always be written.
    let json = serde_json::to_string(report).unwrap_or_default();
    let mut text = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        // Outside of strings, JSON has none of these characters, so they can be escaped without parsing it.
        if matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        {
            // Writing to a string can't fail.
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text.push('\n');
    text
}
