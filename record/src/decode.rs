use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use crate::error::excerpt;
use crate::report::VERSION;
use crate::{BadRecord, ForgetSeries, Key, PlainRecord, Report, RunKey, limits};

/// A record on `metrics` that is not bad.
#[derive(Debug)]
pub enum Record<'a> {
    /// The values of (a part of) a run.
    Report {
        /// The run and the part.
        key: RunKey<'a>,
        /// Its values.
        report: Report<'a>,
    },
    /// A value that another program wrote.
    Plain {
        /// The key of the row.
        key: &'a str,
        /// The value and its series.
        plain: PlainRecord<'a>,
    },
    /// Forget what was counted for a series, the retired sum included.
    Forget(ForgetSeries),
    /// Remove the row and subtract what it contributed.
    Tombstone {
        /// The key of the row.
        key: Key<'a>,
    },
}

/// Reads a record on `metrics`.
///
/// # Errors
/// [`BadRecord`] is the reason why the record can't be counted. The table decides whether the record fits its row.
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
        Key::Forget(_) => ForgetSeries::decode(json).map(Record::Forget),
        Key::Run(key) => {
            let raw = serde_json::from_str(json).map_err(|error| diagnose(json, true, &error))?;
            Ok(Record::Report { key, report: Report::check(&key, raw)? })
        }
        Key::Plain(key) => {
            let raw = serde_json::from_str(json).map_err(|error| diagnose(json, false, &error))?;
            Ok(Record::Plain { key, plain: PlainRecord::check(raw)? })
        }
    }
}

/// The fields of a value that show its kind and version, whatever the rest looks like.
#[derive(Deserialize)]
struct Probe {
    v: Option<u64>,
    counters: Option<IgnoredAny>,
    count: Option<IgnoredAny>,
}

/// Finds the error that helps most. It is called for bad records only.
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
