//! Writes reports without serde: the bytes before a counter's value are encoded once, when the series is registered.

use std::io::Write as _;

use serde::Serialize;
use uuid::Uuid;

use crate::ranges::{Ranges, RangesPrefix, push_ranges};
use crate::report::VERSION;
use crate::series::SeriesRef;

/// The fields of a report other than its counters.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ReportHeader<'a> {
    /// What the user calls the running copy.
    pub instance: &'a str,
    /// One life of its process.
    pub run: Uuid,
    /// When the counters were read, in ms since 1970.
    pub at: i64,
    /// Grows by one with each report of the run.
    pub seq: u64,
    /// How often the run reports when something changed, in ms.
    pub interval_ms: u64,
    /// How many parts the run has so far.
    pub parts: u32,
    /// Whether this is the run's last report.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// The bytes of a counter up to its value.
#[derive(Debug, Clone)]
pub struct CounterPrefix(Box<[u8]>);

impl CounterPrefix {
    /// Encodes the series' name and labels.
    #[must_use]
    pub fn new(series: SeriesRef<'_>) -> Self {
        let mut json = Vec::new();
        push_prefix(&mut json, series);
        Self(json.into_boxed_slice())
    }

    /// The most bytes that a counter with this prefix takes in a report, whatever its value.
    #[must_use]
    pub fn counter_bytes(&self) -> usize {
        const LONGEST_VALUE: usize = u64::MAX.ilog10() as usize + 1;
        self.0.len() + LONGEST_VALUE + "},".len()
    }
}

/// Builds one report.
#[derive(Debug)]
pub struct ReportWriter {
    json: Vec<u8>,
    /// Whether the open array has no value yet.
    empty: bool,
    /// Whether the open array is that of the ranges.
    in_ranges: bool,
}

impl ReportWriter {
    /// Begins a report.
    #[must_use]
    pub fn new(header: &ReportHeader<'_>) -> Self {
        #[derive(Serialize)]
        struct Versioned<'a> {
            v: u64,
            #[serde(flatten)]
            header: &'a ReportHeader<'a>,
        }
        let mut json = Vec::with_capacity(256);
        write_json(&mut json, &Versioned { v: VERSION, header });
        json.pop();
        json.extend_from_slice(b",\"counters\":[");
        Self { json, empty: true, in_ranges: false }
    }

    /// The most bytes that a report of this instance takes before its first counter and after its last.
    #[must_use]
    pub fn overhead_bytes(instance: &str) -> usize {
        let widest = ReportHeader {
            instance,
            run: Uuid::nil(),
            at: i64::MIN,
            seq: u64::MAX,
            interval_ms: u64::MAX,
            parts: u32::MAX,
            is_final: false,
        };
        Self::new(&widest).finish().len()
    }

    /// Adds a counter. All counters come before the ranges.
    pub fn push(&mut self, prefix: &CounterPrefix, value: u64) {
        if !std::mem::take(&mut self.empty) {
            self.json.push(b',');
        }
        self.json.extend_from_slice(&prefix.0);
        push_value(&mut self.json, value);
    }

    /// Adds a value of ranges.
    pub fn push_ranges(&mut self, prefix: &RangesPrefix, value: &Ranges) {
        if !std::mem::replace(&mut self.in_ranges, true) {
            self.json.extend_from_slice(b"],\"ranges\":[");
            self.empty = true;
        }
        if !std::mem::take(&mut self.empty) {
            self.json.push(b',');
        }
        push_ranges(&mut self.json, prefix, value);
    }

    /// The record's value.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.json.extend_from_slice(b"]}");
        self.json
    }
}

/// A counter as it is in a report and in a row.
pub(crate) fn push_counter(json: &mut Vec<u8>, series: SeriesRef<'_>, value: u64) {
    push_prefix(json, series);
    push_value(json, value);
}

fn push_prefix(json: &mut Vec<u8>, series: SeriesRef<'_>) {
    json.push(b'{');
    push_series(json, series);
    json.extend_from_slice(b",\"value\":");
}

/// The fields of a JSON object that name a series.
pub(crate) fn push_series(json: &mut Vec<u8>, series: SeriesRef<'_>) {
    json.extend_from_slice(b"\"name\":");
    write_str(json, series.name());
    for (index, (name, value)) in series.labels().iter().enumerate() {
        json.extend_from_slice(if index == 0 { b",\"labels\":{" } else { b"," });
        write_str(json, name);
        json.push(b':');
        write_str(json, value);
    }
    if !series.labels().is_empty() {
        json.push(b'}');
    }
}

fn push_value(json: &mut Vec<u8>, value: u64) {
    // Writing to a vector can't fail.
    let _ = write!(json, "{value}}}");
}

fn write_str(json: &mut Vec<u8>, text: &str) {
    write_json(json, text);
}

/// Appends a value as JSON. The values here always have a JSON form, and writing to a vector can't fail.
pub(crate) fn write_json<T: Serialize + ?Sized>(json: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(json, value);
}
