use std::fmt;

use uuid::Uuid;

use crate::{BadRecord, limits};

/// The key of a record on `metrics`, which names its row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// `instance/run` or `instance/run/part`: the row of (a part of) a run.
    Run(RunKey<'a>),
    /// Any other text: the row of a plain counter.
    Plain(&'a str),
}

/// The key of (a part of) a run: `app-1/0192…`, then `app-1/0192…/1` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunKey<'a> {
    /// What the user calls the running copy; it may contain slashes.
    pub instance: &'a str,
    /// One life of its process.
    pub run: Uuid,
    /// The number of the part. The key of part 0 has no suffix.
    pub part: u32,
}

impl<'a> Key<'a> {
    /// Reads a record's key.
    pub fn decode(key: Option<&'a [u8]>) -> Result<Self, BadRecord> {
        let bytes = key.ok_or(BadRecord::NullKey)?;
        match bytes.len() {
            0 => return Err(BadRecord::EmptyKey),
            bytes if bytes > limits::KEY_BYTES => return Err(BadRecord::KeyTooLong { bytes }),
            _ => {}
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BadRecord::KeyNotUtf8)?;
        Ok(RunKey::parse(text).map_or(Self::Plain(text), Self::Run))
    }
}

impl<'a> RunKey<'a> {
    /// Reads the canonical form only. Every other key is that of a plain record.
    fn parse(text: &'a str) -> Option<Self> {
        let (head, last) = text.rsplit_once('/')?;
        let (instance, run, part) = if let Some(run) = run(last) {
            (head, run, 0)
        } else {
            let (instance, middle) = head.rsplit_once('/')?;
            (instance, run(middle)?, part(last)?)
        };
        (!instance.is_empty()).then_some(Self { instance, run, part })
    }
}

impl fmt::Display for RunKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.instance, self.run)?;
        if self.part > 0 {
            write!(f, "/{}", self.part)?;
        }
        Ok(())
    }
}

/// A UUID in its canonical form: with hyphens, in lower case.
fn run(text: &str) -> Option<Uuid> {
    let canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if canonical { Uuid::try_parse(text).ok() } else { None }
}

fn part(text: &str) -> Option<u32> {
    let canonical = !text.starts_with(['0', '+']);
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUN: &str = "01920000-0000-7000-8000-000000000001";

    fn is_run(text: &str) -> bool {
        matches!(Key::decode(Some(text.as_bytes())), Ok(Key::Run(_)))
    }

    #[test]
    fn only_the_canonical_form_is_the_key_of_a_run() {
        assert!(is_run(&format!("app-1/{RUN}")));
        assert!(is_run(&format!("a/b/{RUN}/12")));
        for plain in [
            RUN.to_owned(),
            format!("/{RUN}"),
            format!("app-1/{RUN}/0"),
            format!("app-1/{RUN}/01"),
            format!("app-1/{RUN}/+1"),
            format!("app-1/{RUN}/"),
            format!("app-1/{RUN}/99999999999"),
            format!("app-1/{}", "01920000-0000-7000-8000-00000000000A"),
            "app-1:records_processed".to_owned(),
        ] {
            assert_eq!(Key::decode(Some(plain.as_bytes())), Ok(Key::Plain(&plain)));
        }
    }

    #[test]
    fn a_key_that_names_no_row_is_bad() {
        assert_eq!(Key::decode(None), Err(BadRecord::NullKey));
        assert_eq!(Key::decode(Some(b"")), Err(BadRecord::EmptyKey));
        assert_eq!(Key::decode(Some(b"\xff")), Err(BadRecord::KeyNotUtf8));
        assert_eq!(Key::decode(Some(&[b'a'; 1025])), Err(BadRecord::KeyTooLong { bytes: 1025 }));
    }

    proptest! {
        #[test]
        fn run_keys_round_trip(instance in "\\PC{1,40}", run in any::<u128>(), part in any::<u32>()) {
            let key = RunKey { instance: &instance, run: Uuid::from_u128(run), part };
            let text = key.to_string();
            prop_assert_eq!(Key::decode(Some(text.as_bytes())), Ok(Key::Run(key)));
        }

        #[test]
        fn no_key_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Key::decode(Some(&bytes));
        }
    }
}
