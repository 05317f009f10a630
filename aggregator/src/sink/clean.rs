//! The rule for names that a target can't store: each byte that it can't store is written as `_x` and two hexadecimal
//! digits (`a b` becomes `a_x20b`). An underscore that would begin such a group in the original is written in this way,
//! too. So no two texts become one, and every text can be read back.

/// Appends `text`, cleaned of the bytes for which `keep` returns false; its first argument is the position of the byte.
/// Returns whether there were any.
pub(crate) fn push_cleaned(out: &mut Vec<u8>, text: &str, keep: impl Fn(usize, u8) -> bool) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let bytes = text.as_bytes();
    let mut cleaned = false;
    for (at, byte) in bytes.iter().enumerate() {
        if keep(at, *byte) && !begins_group(&bytes[at..]) {
            out.push(*byte);
        } else {
            out.extend_from_slice(b"_x");
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
            cleaned = true;
        }
    }
    cleaned
}

fn begins_group(bytes: &[u8]) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    matches!(bytes, [b'_', b'x', high, low, ..] if is_digit(*high) && is_digit(*low))
}

/// A number that replaces a text which is too long for the target: 64-bit FNV-1a.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Undoes [`push_cleaned`].
#[cfg(test)]
pub(crate) fn restore(cleaned: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = cleaned;
    while let [byte, tail @ ..] = rest {
        if begins_group(rest) {
            let digits = std::str::from_utf8(&rest[2..4]).expect("two digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
            rest = &rest[4..];
        } else {
            bytes.push(*byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).expect("UTF-8, as before")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(text: &str) -> (String, bool) {
        let mut out = Vec::new();
        let cleaned = push_cleaned(&mut out, text, |_, byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (String::from_utf8(out).expect("only ASCII is kept"), cleaned)
    }

    #[test]
    fn only_bytes_that_the_target_can_not_store_are_changed() {
        assert_eq!(cleaned("records_processed"), ("records_processed".to_owned(), false));
        assert_eq!(cleaned("a b"), ("a_x20b".to_owned(), true));
        assert_eq!(cleaned("é"), ("_xC3_xA9".to_owned(), true));
        assert_eq!(cleaned("a_x20b"), ("a_x5Fx20b".to_owned(), true));
        assert_eq!(cleaned("_x2"), ("_x2".to_owned(), false));
    }

    proptest! {
        #[test]
        fn every_text_can_be_read_back(text in "\\PC{0,20}|[_xA2 -]{0,20}") {
            prop_assert_eq!(restore(cleaned(&text).0.as_bytes()), text);
        }
    }
}
