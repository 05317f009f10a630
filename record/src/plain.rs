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
}

impl<'a> PlainRecord<'a> {
    /// The series that the value belongs to.
    #[must_use]
    pub fn series(&self) -> SeriesRef<'_> {
        SeriesRef { name: &self.name, labels: &self.labels }
    }

    pub(crate) fn check(raw: RawPlain<'a>) -> Result<Self, BadRecord> {
        if let Some(kind) = raw.kind.filter(|kind| kind != "COUNTER") {
            return Err(BadRecord::UnsupportedType(excerpt(&kind)));
        }
        let value = Value::Counter(raw.count.check()?);
        let timestamp = raw.timestamp.map(Timestamp::millis).transpose()?;
        check_name(&raw.name)?;
        let mut labels = raw.labels;
        normalize(&mut labels, 0)?;
        Ok(Self { name: raw.name, labels, value, timestamp })
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
}
