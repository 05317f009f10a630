use std::fmt;

use uuid::Uuid;

use crate::{BadRecord, Millis, limits};

/// The key of a record on `metrics`, which names its row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// `instance/run` or `instance/run/part`: the row of (a part of) a run.
    Run(RunKey<'a>),
    /// Any other text: the row of a plain counter.
    Plain(&'a str),
    /// The byte 0xff, `forget/` and an id: the request to forget a series.
    Forget(Uuid),
}

/// How the key of a request to forget a series begins. It is not UTF-8, so no other key begins like it.
pub(crate) const FORGET: &[u8] = b"\xffforget/";

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
        if let Some(id) = bytes.strip_prefix(FORGET).and_then(|id| run(std::str::from_utf8(id).ok()?)) {
            return Ok(Self::Forget(id));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BadRecord::KeyNotUtf8)?;
        Ok(RunKey::parse(text).map_or(Self::Plain(text), Self::Run))
    }
}

impl<'a> RunKey<'a> {
    /// When the run began: the time in its id. `None` if the id is no UUID of version 7.
    #[must_use]
    pub fn began(&self) -> Option<Millis> {
        let (seconds, nanos) = (self.run.get_version_num() == 7).then(|| self.run.get_timestamp())??.to_unix();
        Some(Millis(i64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(i64::from(nanos / 1_000_000))?))
    }

    /// How many bytes of the key name the run: those before the number of the part.
    #[must_use]
    pub fn run_bytes(&self) -> usize {
        const ID: usize = uuid::fmt::Hyphenated::LENGTH;
        self.instance.len() + "/".len() + ID
    }

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
    fn a_run_began_at_the_time_in_its_id() {
        let began = |id: &str| RunKey { instance: "app-1", run: id.parse().expect("a UUID"), part: 0 }.began();
        assert_eq!(began("01902a1b-2c3d-7000-8000-000000000001"), Some(Millis(0x0190_2a1b_2c3d)));
        assert_eq!(began("f47ac10b-58cc-4372-a567-0e02b2c3d479"), None);
    }

    #[test]
    fn the_run_is_what_precedes_the_part() {
        for text in [format!("a/b/{RUN}"), format!("a/b/{RUN}/12")] {
            let Ok(Key::Run(key)) = Key::decode(Some(text.as_bytes())) else { panic!("{text} is the key of a run") };
            assert_eq!(text[..key.run_bytes()], format!("a/b/{RUN}"));
        }
    }

    #[test]
    fn a_request_to_forget_has_a_key_of_its_own() {
        let key = [FORGET, RUN.as_bytes()].concat();
        assert_eq!(Key::decode(Some(&key)), Ok(Key::Forget(RUN.parse().expect("a UUID"))));
        assert_eq!(Key::decode(Some(b"\xffforget/7")), Err(BadRecord::KeyNotUtf8));
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
