use std::borrow::Cow;

use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::error::excerpt;
use crate::report_writer::write_json;
use crate::series::{Label, Series, SeriesRef, check_name, normalize};
use crate::{BadRecord, Millis, Offset};

const VERSION: u64 = 1;

/// The fleet-wide total of a series, as a record of `metrics-agg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// What is counted; its text form is the record's key.
    pub series: Series,
    /// The total.
    pub total: Total,
    /// Event time since 1970: that of the newest record that contributed. It never goes back.
    pub timestamp: Millis,
    /// The last offset of `metrics` that the total includes.
    pub offset: Offset,
    /// How many live runs contribute.
    pub instances: u64,
}

/// What an aggregate publishes for its series.
///
/// A new type of total is a new variant. Every place that depends on the type matches without a wildcard, so that the
/// compiler names the places that lack the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Total {
    /// The sum of counters. It is never negative, and only grows unless an operator removes a row.
    Counter(i128),
    /// The difference of two totals, such as an audit's delta. It may be negative.
    Delta(i128),
}

impl Total {
    /// The type under which the total is published.
    #[must_use]
    pub fn kind(&self) -> AggregateType {
        match self {
            Self::Counter(_) => AggregateType::Counter,
            Self::Delta(_) => AggregateType::Gauge,
        }
    }
}

/// The `type` of an aggregate's record. Its words are those of the Dropwizard reporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AggregateType {
    /// A [`Total::Counter`].
    Counter,
    /// A [`Total::Delta`].
    Gauge,
}

/// Why a record on `metrics-agg` is not an aggregate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AggregateError {
    /// The value is not JSON or not of the shape.
    #[error("the value is not an aggregate: {0}")]
    Shape(String),
    /// This version can't read the aggregate's `v`.
    #[error("the aggregate has version {0}; this version of Quipu reads version 1")]
    UnknownVersion(u64),
    /// The series' name or a label is not allowed.
    #[error(transparent)]
    Series(#[from] BadRecord),
}

impl Aggregate {
    /// The record's value.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(192);
        write_json(&mut json, self);
        json
    }

    /// Reads a record's value.
    pub fn decode(value: &[u8]) -> Result<Self, AggregateError> {
        let raw: Raw<'_> =
            serde_json::from_slice(value).map_err(|error| AggregateError::Shape(excerpt(&error.to_string())))?;
        if raw.v != VERSION {
            return Err(AggregateError::UnknownVersion(raw.v));
        }
        check_name(&raw.name)?;
        let mut labels = raw.labels;
        normalize(&mut labels, 0)?;
        Ok(Self {
            series: SeriesRef { name: &raw.name, labels: &labels }.to_series(),
            total: match raw.kind {
                AggregateType::Counter => Total::Counter(raw.count),
                AggregateType::Gauge => Total::Delta(raw.count),
            },
            timestamp: raw.timestamp,
            offset: raw.offset,
            instances: raw.instances,
        })
    }
}

impl Serialize for Aggregate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &VERSION)?;
        map.serialize_entry("name", self.series.name())?;
        map.serialize_entry("labels", &Labels(self.series.labels()))?;
        map.serialize_entry("type", &self.total.kind())?;
        match &self.total {
            Total::Counter(count) | Total::Delta(count) => map.serialize_entry("count", count)?,
        }
        map.serialize_entry("timestamp", &self.timestamp)?;
        map.serialize_entry("offset", &self.offset)?;
        map.serialize_entry("instances", &self.instances)?;
        map.end()
    }
}

struct Labels<'a>(&'a [Label<'a>]);

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[derive(Deserialize)]
struct Raw<'a> {
    v: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "crate::counters::labels")]
    labels: Vec<Label<'a>>,
    #[serde(rename = "type")]
    kind: AggregateType,
    count: i128,
    timestamp: Millis,
    offset: Offset,
    instances: u64,
}
