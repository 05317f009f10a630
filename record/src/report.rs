use std::borrow::Cow;

use serde::Deserialize;
use uuid::Uuid;

use crate::counters::RawCounters;
use crate::ranges::{Ranges, RangesSeries, RawRanges};
use crate::series::SeriesRef;
use crate::value::{Value, Values};
use crate::{BadRecord, Millis, RunKey, limits};

/// The version of the report that this crate reads and writes.
pub(crate) const VERSION: u64 = 1;

/// The values of one run, or one part of them, at one moment.
#[derive(Debug)]
pub struct Report<'a> {
    /// When the reporter read its counters, by its own clock. Informative: event time is the record's timestamp.
    pub at: Millis,
    /// Grows by one with each report of the run.
    pub seq: u64,
    /// How often this run reports when something changed, in ms.
    pub interval_ms: u64,
    /// How many parts the run has so far; 0 if the report does not have the field. Such a run never counts as finished.
    pub parts: u32,
    /// Whether this is the run's last report.
    pub is_final: bool,
    values: Values<'a>,
    ranges: Vec<RangesSeries<'a>>,
}

impl<'a> Report<'a> {
    /// The number of values in the report, without those of type ranges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether the report has no value, apart from those of type ranges.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values in the record's order. A series may occur twice: the table, which looks series up, refuses that.
    #[must_use]
    pub fn values(&self) -> impl ExactSizeIterator<Item = (SeriesRef<'_>, Value)> {
        self.values.iter()
    }

    /// The values of type ranges in the record's order. A series may occur twice.
    #[must_use]
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = (SeriesRef<'_>, &Ranges)> {
        self.ranges.iter().map(RangesSeries::get)
    }

    pub(crate) fn check(key: &RunKey<'_>, raw: RawReport<'a>) -> Result<Self, BadRecord> {
        if raw.v != VERSION {
            return Err(BadRecord::UnknownVersion(raw.v));
        }
        match raw.instance.len() {
            0 => return Err(BadRecord::EmptyInstance),
            bytes if bytes > limits::INSTANCE_BYTES => return Err(BadRecord::InstanceTooLong { bytes }),
            _ => {}
        }
        if raw.instance != key.instance || raw.run != key.run {
            return Err(BadRecord::RunMismatch);
        }
        if raw.parts > 0 && key.part >= raw.parts {
            return Err(BadRecord::PartBeyondParts { part: key.part, parts: raw.parts });
        }
        Ok(Self {
            at: raw.at,
            seq: raw.seq,
            interval_ms: raw.interval_ms,
            parts: raw.parts,
            is_final: raw.is_final,
            values: Values::check(raw.counters)?,
            ranges: raw.ranges.into_iter().map(RawRanges::check).collect::<Result<_, _>>()?,
        })
    }
}

/// A report's JSON as it was read.
#[derive(Debug, Deserialize)]
pub(crate) struct RawReport<'a> {
    v: u64,
    #[serde(borrow)]
    instance: Cow<'a, str>,
    run: Uuid,
    at: Millis,
    seq: u64,
    interval_ms: u64,
    #[serde(default)]
    parts: u32,
    #[serde(default, rename = "final")]
    is_final: bool,
    #[serde(borrow, default)]
    counters: RawCounters<'a>,
    #[serde(borrow, default)]
    ranges: Vec<RawRanges<'a>>,
}
