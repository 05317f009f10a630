use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

use crate::counters::{Counters, RawCounters};
use crate::error::excerpt;
use crate::report_writer::{push_counter, write_json};
use crate::series::SeriesRef;
use crate::{BadRecord, Millis, Offset};

const VERSION: u64 = 1;

/// What is known of a row beside its counters, as it stands on `metrics-state` and in the state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateRowHeader {
    /// The offset on `metrics` that the row reflects.
    pub offset: Offset,
    /// Event time of its newest record.
    pub last_seen: Millis,
    /// Whether the row counts as a live instance.
    pub live: bool,
    /// Of which kind it is.
    #[serde(flatten)]
    pub kind: StateRowKind,
}

/// The kind of a row, and what only that kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum StateRowKind {
    /// (A part of) a run.
    Run {
        /// The sequence number of its report.
        seq: u64,
    },
    /// A plain counter.
    Plain {
        /// What was counted before its restarts, in decimal: JSON's numbers end at 2^64.
        #[serde(serialize_with = "decimal")]
        base: u128,
        /// The timestamp in its newest record, if it has one.
        timestamp: Option<Millis>,
    },
}

/// A row of the table, as it stands on `metrics-state` and in the state store.
#[derive(Debug)]
pub struct StateRow<'a> {
    /// Everything but the counters.
    pub header: StateRowHeader,
    counters: Counters<'a>,
}

/// Why a record on `metrics-state` is no row.
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
    /// The counters in the order of the report.
    #[must_use]
    pub fn counters(&self) -> impl ExactSizeIterator<Item = (SeriesRef<'_>, u64)> {
        self.counters.iter()
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
        Ok(Self { header: raw.row.check()?, counters: raw.counters.check()? })
    }

    /// Writes a row.
    #[must_use]
    pub fn encode<'s>(header: &StateRowHeader, counters: impl IntoIterator<Item = (SeriesRef<'s>, u64)>) -> Vec<u8> {
        let mut json = Vec::with_capacity(256);
        json.extend_from_slice(b"{\"v\":");
        write_json(&mut json, &VERSION);
        json.extend_from_slice(b",\"row\":");
        write_json(&mut json, header);
        json.extend_from_slice(b",\"counters\":[");
        for (index, (series, value)) in counters.into_iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            push_counter(&mut json, series, value);
        }
        json.extend_from_slice(b"]}");
        json
    }
}

/// A header as it is read: without `flatten`, which would copy all of it first, in every row that a start restores.
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
