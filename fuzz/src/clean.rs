//! The rule for names that a target can't store, read back by its description: `_x` and two hexadecimal digits stand for a
//! byte.

/// The text that was cleaned, unless it is not text.
pub(crate) fn restore(cleaned: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = cleaned;
    while let Some(at) = rest.find("_x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let digits = rest.get(at + 2..at + 4).filter(|digits| digits.bytes().all(is_digit));
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &rest[at + 4..];
        } else {
            bytes.extend_from_slice(b"_x");
            rest = &rest[at + 2..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)
}
