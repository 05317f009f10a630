//! A value of ranges in a report.

use std::io::Write as _;

use crate::ranges::{Ranges, Spans};
use crate::report_writer::push_series;
use crate::{Offset, SeriesRef};

/// The bytes of a value of ranges before its ranges.
#[derive(Debug, Clone)]
pub struct RangesPrefix(Box<[u8]>);

impl RangesPrefix {
    /// Encodes the series' name and labels.
    #[must_use]
    pub fn new(series: SeriesRef<'_>) -> Self {
        let mut json = vec![b'{'];
        push_series(&mut json, series);
        Self(json.into_boxed_slice())
    }

    /// The most bytes that a value with this prefix takes in a report if it has at most so many ranges.
    #[must_use]
    pub fn value_bytes(&self, ranges: usize) -> usize {
        const OTHER: &str = concat!(
            r#"],"ranges":[,"layers":[],"skipped":[],"in_hand":[],"committed":9223372036854775807,"#,
            r#""end":9223372036854775807,"inexact":true,"unpublished":true},"#
        );
        // Each range can be a layer of its own.
        const RANGE: &str = "[[9223372036854775807,9223372036854775807,9223372036854775807],],";
        self.0.len() + OTHER.len() + ranges.saturating_mul(RANGE.len())
    }

    /// How many ranges a value with this prefix can have in so many bytes.
    #[must_use]
    pub fn ranges_in(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.value_bytes(0)) / (self.value_bytes(1) - self.value_bytes(0))
    }
}

/// A value of ranges as it is in a report.
pub(crate) fn push_ranges(json: &mut Vec<u8>, prefix: &RangesPrefix, value: &Ranges) {
    json.extend_from_slice(&prefix.0);
    json.extend_from_slice(b",\"layers\":");
    push_list(json, value.layers.as_slice(), |json, layer| {
        push_list(json, layer.ranges(), |json, range| {
            push(json, format_args!("[{},{},{}]", range.start, range.end, range.records));
        });
    });
    push_spans(json, "skipped", &value.skipped);
    push_spans(json, "in_hand", &value.in_hand);
    push_offset(json, "committed", value.committed);
    push_offset(json, "end", value.end);
    for (name, flag) in [("inexact", value.inexact), ("unpublished", value.unpublished)] {
        if flag {
            push(json, format_args!(",\"{name}\":true"));
        }
    }
    json.push(b'}');
}

fn push_spans(json: &mut Vec<u8>, name: &str, spans: &Spans) {
    if !spans.is_empty() {
        push(json, format_args!(",\"{name}\":"));
        push_list(json, spans.as_slice(), |json, span| push(json, format_args!("[{},{}]", span.start, span.end)));
    }
}

fn push_offset(json: &mut Vec<u8>, name: &str, offset: Option<Offset>) {
    if let Some(offset) = offset {
        push(json, format_args!(",\"{name}\":{offset}"));
    }
}

fn push_list<T>(json: &mut Vec<u8>, items: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
    json.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        push(json, item);
    }
    json.push(b']');
}

/// Writing to a vector can't fail.
fn push(json: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = json.write_fmt(text);
}
