use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

use crate::counters::RawCounters;
use crate::error::excerpt;
use crate::report_writer::write_json;
use crate::series::SeriesRef;
use crate::value::{Value, Values, push_values};
use crate::{BadRecord, Millis, Offset};

const VERSION: u64 = 1;

/// Everything but the values of a row, as it is on `metrics-state` and in the state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateRowHeader {
    /// The offset on `metrics` that the row reflects.
    pub offset: Offset,
    /// Event time of its newest record.
    pub last_seen: Millis,
    /// Whether the row counts as a live instance.
    pub live: bool,
    /// The kind of the row.
    #[serde(flatten)]
    pub kind: StateRowKind,
}

/// The kind of a row, and the fields that only this kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum StateRowKind {
    /// (A part of) a run.
    Run {
        /// The sequence number of its report.
        seq: u64,
    },
    /// A plain record.
    Plain {
        /// What was counted before its restarts, as a decimal string: JSON's numbers end at 2^64.
        #[serde(serialize_with = "decimal")]
        base: u128,
        /// The timestamp in its newest record, if it has one.
        timestamp: Option<Millis>,
    },
}

/// A row of the table, as it is on `metrics-state` and in the state store.
#[derive(Debug)]
pub struct StateRow<'a> {
    /// Everything but the values.
    pub header: StateRowHeader,
    values: Values<'a>,
}

/// Why a record on `metrics-state` is not a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateRowError {
    /// The value is not JSON or not of the shape.
    #[error("the value is not a row: {0}")]
    Shape(String),
    /// The row's `v` is none that this version reads.
    #[error("the row has version {0}; this version of Quipu reads version 1")]
    UnknownVersion(u64),
    /// A count or a series is not allowed.
    #[error(transparent)]
    Counters(#[from] BadRecord),
}

impl<'a> StateRow<'a> {
    /// The values in the order of the report.
    #[must_use]
    pub fn values(&self) -> impl ExactSizeIterator<Item = (SeriesRef<'_>, Value)> {
        self.values.iter()
    }

    /// Reads a row.
    pub fn decode(value: &'a [u8]) -> Result<Self, StateRowError> {
        #[derive(Deserialize)]
        struct Raw<'a> {
            v: u64,
            #[serde(borrow)]
            row: RawHeader<'a>,
            #[serde(borrow)]
            counters: RawCounters<'a>,
        }
        let raw: Raw<'a> =
            serde_json::from_slice(value).map_err(|error| StateRowError::Shape(excerpt(&error.to_string())))?;
        if raw.v != VERSION {
            return Err(StateRowError::UnknownVersion(raw.v));
        }
        Ok(Self { header: raw.row.check()?, values: Values::check(raw.counters)? })
    }

    /// Writes a row.
    #[must_use]
    pub fn encode<'s>(header: &StateRowHeader, values: impl IntoIterator<Item = (SeriesRef<'s>, Value)>) -> Vec<u8> {
        let mut json = Vec::with_capacity(256);
        json.extend_from_slice(b"{\"v\":");
        write_json(&mut json, &VERSION);
        json.extend_from_slice(b",\"row\":");
        write_json(&mut json, header);
        json.push(b',');
        push_values(&mut json, values);
        json.push(b'}');
        json
    }
}

/// A header as it is read. It does without `flatten`, which copies all fields first: a start reads every row.
#[derive(Deserialize)]
struct RawHeader<'a> {
    offset: Offset,
    last_seen: Millis,
    live: bool,
    kind: RawKind,
    seq: Option<u64>,
    #[serde(borrow)]
    base: Option<Cow<'a, str>>,
    timestamp: Option<Millis>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Run,
    Plain,
}

impl RawHeader<'_> {
    fn check(self) -> Result<StateRowHeader, StateRowError> {
        let Self { offset, last_seen, live, kind, seq, base, timestamp } = self;
        let lacks = |field: &str| StateRowError::Shape(format!("missing field `{field}`"));
        let kind = match kind {
            RawKind::Run => StateRowKind::Run { seq: seq.ok_or_else(|| lacks("seq"))? },
            RawKind::Plain => {
                let base = base.ok_or_else(|| lacks("base"))?;
                let base = base.parse().map_err(|_| StateRowError::Shape(format!("no number: {}", excerpt(&base))))?;
                StateRowKind::Plain { base, timestamp }
            }
        };
        Ok(StateRowHeader { offset, last_seen, live, kind })
    }
}

/// JSON's numbers end at 2^64.
fn decimal<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}
