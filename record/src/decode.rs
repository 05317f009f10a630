use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use crate::error::excerpt;
use crate::report::VERSION;
use crate::{BadRecord, Key, PlainCounter, Report, RunKey, limits};

/// A record on `metrics` that is not bad.
#[derive(Debug)]
pub enum Record<'a> {
    /// The counters of (a part of) a run.
    Report {
        /// Which run, which part.
        key: RunKey<'a>,
        /// Its counters.
        report: Report<'a>,
    },
    /// A counter that another program wrote.
    Plain {
        /// The row.
        key: &'a str,
        /// The counter.
        counter: PlainCounter<'a>,
    },
    /// Remove the row and subtract what it contributed.
    Tombstone {
        /// The row.
        key: Key<'a>,
    },
}

/// Reads a record on `metrics`.
///
/// # Errors
/// [`BadRecord`] says why the record can't be counted. Whether it fits the row it falls on is for the table to say.
pub fn decode<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Result<Record<'a>, BadRecord> {
    let key = Key::decode(key)?;
    let Some(value) = value else {
        return Ok(Record::Tombstone { key });
    };
    match value.len() {
        0 => return Err(BadRecord::EmptyValue),
        bytes if bytes > limits::RECORD_BYTES => return Err(BadRecord::RecordTooLarge { bytes }),
        _ => {}
    }
    let json = std::str::from_utf8(value).map_err(|_| BadRecord::NotUtf8)?;
    match key {
        Key::Run(key) => {
            let raw = serde_json::from_str(json).map_err(|error| diagnose(json, true, &error))?;
            Ok(Record::Report { key, report: Report::check(&key, raw)? })
        }
        Key::Plain(key) => {
            let raw = serde_json::from_str(json).map_err(|error| diagnose(json, false, &error))?;
            Ok(Record::Plain { key, counter: PlainCounter::check(raw)? })
        }
    }
}

/// What of a value tells its kind and version, whatever the rest looks like.
#[derive(Deserialize)]
struct Probe {
    v: Option<u64>,
    counters: Option<IgnoredAny>,
    count: Option<IgnoredAny>,
}

/// Finds the error that helps most; only records that are bad anyway come here.
fn diagnose(json: &str, is_run: bool, error: &serde_json::Error) -> BadRecord {
    if error.classify() != Category::Data {
        return BadRecord::InvalidJson(excerpt(&error.to_string()));
    }
    match serde_json::from_str::<Probe>(json) {
        Ok(Probe { v: Some(v), .. }) if is_run && v != VERSION => BadRecord::UnknownVersion(v),
        Ok(Probe { v: None, counters: None, count: Some(_) }) if is_run => {
            BadRecord::KindMismatch("the key is that of a run, the value a plain counter")
        }
        Ok(Probe { counters: Some(_), count: None, .. }) if !is_run => {
            BadRecord::KindMismatch("the value is a report, but the key is not instance/run")
        }
        _ => BadRecord::UnexpectedShape(excerpt(&error.to_string())),
    }
}
