use std::borrow::Cow;

use serde::Deserialize;
use uuid::Uuid;

use crate::counters::{Counters, RawCounters};
use crate::series::SeriesRef;
use crate::{BadRecord, Millis, RunKey, limits};

/// The version of the report that this crate reads and writes.
pub(crate) const VERSION: u64 = 1;

/// The counters of one run, or one part of them, at one moment.
#[derive(Debug)]
pub struct Report<'a> {
    /// When the reporter read its counters, by its own clock. Informative: event time is the record's timestamp.
    pub at: Millis,
    /// Grows by one with each report of the run.
    pub seq: u64,
    /// How often this run reports when something changed, in ms.
    pub interval_ms: u64,
    /// Whether the run says that this is its last report.
    pub is_final: bool,
    counters: Counters<'a>,
}

impl<'a> Report<'a> {
    /// How many counters the report has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counters.len()
    }

    /// Whether the report has no counter at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The counters in the record's order. That a series does not stand twice is for whoever looks series up to check.
    #[must_use]
    pub fn counters(&self) -> impl ExactSizeIterator<Item = (SeriesRef<'_>, u64)> {
        self.counters.iter()
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
        Ok(Self {
            at: raw.at,
            seq: raw.seq,
            interval_ms: raw.interval_ms,
            is_final: raw.is_final,
            counters: raw.counters.check()?,
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
    #[serde(default, rename = "final")]
    is_final: bool,
    #[serde(borrow)]
    counters: RawCounters<'a>,
}
