use std::borrow::Cow;

use serde::Deserialize;

use crate::error::excerpt;
use crate::number::{Count, Timestamp};
use crate::series::{Label, SeriesRef, check_name, normalize};
use crate::{BadRecord, Millis, Value};

/// A record of a program without our reporter: one value of one series, in the form of the Dropwizard reporter.
#[derive(Debug)]
pub struct PlainRecord<'a> {
    name: Cow<'a, str>,
    labels: Vec<Label<'a>>,
    /// The value of the series.
    pub value: Value,
    /// When the value was true, if the record has a timestamp.
    pub timestamp: Option<Millis>,
    /// When the count began at zero, if the record declares it. A later start is a restart.
    pub start: Option<Millis>,
    /// Whether the count includes what was counted elsewhere. A row, or a start, that begins with it contributes 0.
    pub is_baseline: bool,
    /// Whether the row may expire after a silence. Then the record has a start.
    pub expires: bool,
}

impl<'a> PlainRecord<'a> {
    /// The series that the value belongs to.
    #[must_use]
    pub fn series(&self) -> SeriesRef<'_> {
        SeriesRef { name: &self.name, labels: &self.labels }
    }

    pub(crate) fn check(raw: RawPlain<'a>) -> Result<Self, BadRecord> {
        // Dropwizard's meters and timers count, too.
        if let Some(kind) = raw.kind.filter(|kind| !matches!(kind.as_ref(), "COUNTER" | "METER" | "TIMER")) {
            return Err(BadRecord::UnsupportedType(excerpt(&kind)));
        }
        let value = Value::Counter(raw.count.check()?);
        let timestamp = raw.timestamp.map(Timestamp::millis).transpose()?;
        let start = raw.start.map(Timestamp::millis).transpose()?;
        if raw.expires && start.is_none() {
            return Err(BadRecord::ExpiresWithoutStart);
        }
        check_name(&raw.name)?;
        let mut labels = raw.labels;
        normalize(&mut labels, 0)?;
        let RawPlain { name, baseline: is_baseline, expires, .. } = raw;
        Ok(Self { name, labels, value, timestamp, start, is_baseline, expires })
    }
}

/// The JSON of a plain record as it was read.
#[derive(Debug, Deserialize)]
pub(crate) struct RawPlain<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "crate::counters::labels")]
    labels: Vec<Label<'a>>,
    count: Count,
    #[serde(default)]
    timestamp: Option<Timestamp>,
    #[serde(default)]
    start: Option<Timestamp>,
    #[serde(default)]
    baseline: bool,
    #[serde(default)]
    expires: bool,
}
