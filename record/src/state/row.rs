use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};

use crate::counters::RawCounters;
use crate::error::excerpt;
use crate::report_writer::write_json;
use crate::series::SeriesRef;
use crate::value::{Value, Values, push_values};
use crate::{BadRecord, Millis, Offset};

/// The version that is written.
const VERSION: u64 = 2;
/// The version before rows could expire. Its rows count as last seen at log time 0, and none as finished.
const WITHOUT_LOG_TIME: u64 = 1;

/// Everything but the values of a row, as it is on `metrics-state` and in the state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateRowHeader {
    /// The offset on `metrics` that the row reflects.
    pub offset: Offset,
    /// Event time of its newest record.
    pub last_seen: Millis,
    /// The log time of its newest record.
    pub log_time: Millis,
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
        /// How many parts the run has, as its report has it.
        parts: u32,
        /// Whether its report is the last one.
        #[serde(rename = "final")]
        is_final: bool,
        /// Whether the row began with a baseline, because the history of the run was unknown.
        #[serde(rename = "rebased")]
        is_rebased: bool,
    },
    /// A plain record.
    Plain {
        /// What the row contributes beyond its count: what was counted before its restarts, less a baseline. It is a
        /// decimal string, because JSON's numbers end at 2^64.
        #[serde(serialize_with = "decimal")]
        base: i128,
        /// The timestamp in its newest record, if it has one.
        timestamp: Option<Millis>,
        /// When its count began at zero, if that was declared.
        #[serde(skip_serializing_if = "Option::is_none")]
        start: Option<Millis>,
        /// The count with the next earlier start; it is included in the base.
        #[serde(skip_serializing_if = "Option::is_none")]
        previous: Option<Life>,
        /// Whether the row may expire.
        expires: bool,
    },
}

/// What a plain key counted from one declared start on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// When the count began at zero.
    pub start: Millis,
    /// The highest count.
    pub count: u64,
    /// The timestamp in the newest record, if it has one.
    pub timestamp: Option<Millis>,
}

/// A row of the table, as it is on `metrics-state` and in the state store.
#[derive(Debug)]
pub struct StateRow<'a> {
    /// Everything but the values.
    pub header: StateRowHeader,
    values: Values<'a>,
    baseline: Option<Values<'a>>,
}

/// Why a record on `metrics-state` is not a row, or another record of the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateRowError {
    /// The value is not JSON or not of the shape.
    #[error("the value is not a record of the state: {0}")]
    Shape(String),
    /// The record's `v` is none that this version reads.
    #[error(
        "the record of the state has version {0}, which this version of Quipu does not read: use the version that wrote it, or a later one"
    )]
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

    /// The values that do not count: those with which a row began whose history was unknown, and those of series that were
    /// forgotten.
    pub fn baseline(&self) -> impl Iterator<Item = (SeriesRef<'_>, Value)> {
        self.baseline.iter().flat_map(Values::iter)
    }

    /// Reads a row of this version, or of the former one.
    ///
    /// # Errors
    /// The value is not JSON, not of the shape, or of another version; or a count or a series is not allowed.
    pub fn decode(value: &'a [u8]) -> Result<Self, StateRowError> {
        #[derive(Deserialize)]
        struct Raw<'a> {
            v: u64,
            #[serde(borrow)]
            row: RawHeader<'a>,
            #[serde(borrow)]
            counters: RawCounters<'a>,
            #[serde(borrow)]
            baseline: Option<RawBaseline<'a>>,
        }
        #[derive(Deserialize)]
        struct RawBaseline<'a> {
            #[serde(borrow)]
            counters: RawCounters<'a>,
        }
        let raw: Raw<'a> =
            serde_json::from_slice(value).map_err(|error| StateRowError::Shape(excerpt(&error.to_string())))?;
        let header = match raw.v {
            VERSION => raw.row.check()?,
            WITHOUT_LOG_TIME => raw.row.migrate()?,
            v => return Err(StateRowError::UnknownVersion(v)),
        };
        let baseline = raw.baseline.map(|baseline| Values::check(baseline.counters)).transpose()?;
        Ok(Self { header, values: Values::check(raw.counters)?, baseline })
    }

    /// Writes a row.
    #[must_use]
    pub fn encode<'s>(
        header: &StateRowHeader,
        values: impl IntoIterator<Item = (SeriesRef<'s>, Value)>,
        baseline: impl IntoIterator<Item = (SeriesRef<'s>, Value)>,
    ) -> Vec<u8> {
        let mut json = Vec::with_capacity(256);
        json.extend_from_slice(b"{\"v\":");
        write_json(&mut json, &VERSION);
        json.extend_from_slice(b",\"row\":");
        write_json(&mut json, header);
        json.push(b',');
        push_values(&mut json, values);
        let mut baseline = baseline.into_iter().peekable();
        if baseline.peek().is_some() {
            json.extend_from_slice(b",\"baseline\":{");
            push_values(&mut json, baseline);
            json.push(b'}');
        }
        json.push(b'}');
        json
    }
}

/// A header as it is read. It does without `flatten`, which copies all fields first: a start reads every row.
#[derive(Deserialize)]
struct RawHeader<'a> {
    offset: Offset,
    last_seen: Millis,
    log_time: Option<Millis>,
    live: bool,
    kind: RawKind,
    seq: Option<u64>,
    parts: Option<u32>,
    #[serde(rename = "final")]
    is_final: Option<bool>,
    #[serde(rename = "rebased")]
    is_rebased: Option<bool>,
    #[serde(borrow)]
    base: Option<Cow<'a, str>>,
    timestamp: Option<Millis>,
    start: Option<Millis>,
    previous: Option<Life>,
    expires: Option<bool>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Run,
    Plain,
}

impl RawHeader<'_> {
    fn check(self) -> Result<StateRowHeader, StateRowError> {
        let Self { offset, last_seen, live, timestamp, start, previous, .. } = self;
        let kind = match self.kind {
            RawKind::Run => StateRowKind::Run {
                seq: present("seq", self.seq)?,
                parts: present("parts", self.parts)?,
                is_final: present("final", self.is_final)?,
                is_rebased: present("rebased", self.is_rebased)?,
            },
            RawKind::Plain => StateRowKind::Plain {
                base: parse_decimal(&present("base", self.base)?)?,
                timestamp,
                start,
                previous,
                expires: present("expires", self.expires)?,
            },
        };
        Ok(StateRowHeader { offset, last_seen, log_time: present("log_time", self.log_time)?, live, kind })
    }

    fn migrate(self) -> Result<StateRowHeader, StateRowError> {
        let of_run = self.kind == RawKind::Run;
        Self {
            log_time: Some(Millis(0)),
            parts: of_run.then_some(0),
            is_final: of_run.then_some(false),
            is_rebased: of_run.then_some(false),
            expires: Some(false),
            ..self
        }
        .check()
    }
}

fn present<T>(name: &str, field: Option<T>) -> Result<T, StateRowError> {
    field.ok_or_else(|| StateRowError::Shape(format!("missing field `{name}`")))
}

/// JSON's numbers end at 2^64.
fn decimal<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

pub(super) fn parse_decimal(text: &str) -> Result<i128, StateRowError> {
    text.parse().map_err(|_| StateRowError::Shape(format!("no number: {}", excerpt(text))))
}
