use std::borrow::Cow;

use serde::Deserialize;

use crate::error::excerpt;
use crate::number::{Count, Timestamp};
use crate::series::{Label, SeriesRef, check_name, normalize};
use crate::{BadRecord, Millis};

/// A counter as programs without our reporter write it, and as the origin wrote it.
#[derive(Debug)]
pub struct PlainCounter<'a> {
    name: Cow<'a, str>,
    labels: Vec<Label<'a>>,
    /// How much was counted since the program's start.
    pub count: u64,
    /// When that was true, if the record has a timestamp.
    pub timestamp: Option<Millis>,
}

impl<'a> PlainCounter<'a> {
    /// What is counted.
    #[must_use]
    pub fn series(&self) -> SeriesRef<'_> {
        SeriesRef { name: &self.name, labels: &self.labels }
    }

    pub(crate) fn check(raw: RawPlain<'a>) -> Result<Self, BadRecord> {
        if let Some(kind) = raw.kind.filter(|kind| kind != "COUNTER") {
            return Err(BadRecord::UnsupportedType(excerpt(&kind)));
        }
        let count = raw.count.check()?;
        let timestamp = raw.timestamp.map(Timestamp::millis).transpose()?;
        check_name(&raw.name)?;
        let mut labels = raw.labels;
        normalize(&mut labels, 0)?;
        Ok(Self { name: raw.name, labels, count, timestamp })
    }
}

/// A plain counter's JSON as it was read.
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
