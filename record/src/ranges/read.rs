//! Values of ranges, as they are read from a report and checked.

use std::borrow::Cow;

use serde::Deserialize;

use crate::counters::labels;
use crate::number::Count;
use crate::ranges::{Layer, Layers, OffsetRange, Ranges, Span, Spans};
use crate::series::{Label, SeriesRef, check_name, normalize};
use crate::{BadRecord, Offset, limits};

/// A value of ranges as it was read.
#[derive(Debug, Deserialize)]
pub(crate) struct RawRanges<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "labels")]
    labels: Vec<Label<'a>>,
    layers: Vec<Vec<[Count; 3]>>,
    #[serde(default)]
    skipped: Vec<[Count; 2]>,
    #[serde(default)]
    in_hand: Vec<[Count; 2]>,
    committed: Option<Count>,
    end: Option<Count>,
    #[serde(default)]
    inexact: bool,
    #[serde(default)]
    unpublished: bool,
}

/// A checked value of ranges and its series.
#[derive(Debug)]
pub(crate) struct RangesSeries<'a> {
    name: Cow<'a, str>,
    labels: Vec<Label<'a>>,
    value: Ranges,
}

impl<'a> RawRanges<'a> {
    pub(crate) fn check(self) -> Result<RangesSeries<'a>, BadRecord> {
        let Self { name, mut labels, .. } = self;
        check_name(&name)?;
        normalize(&mut labels, 0)?;
        check_labels(SeriesRef { name: &name, labels: &labels })?;

        // An empty layer counts as well, because it takes space in the record and in memory.
        let in_layers: usize = self.layers.iter().map(|layer| layer.len().max(1)).sum();
        let ranges = in_layers + self.skipped.len() + self.in_hand.len();
        if ranges > limits::RANGES {
            return Err(BadRecord::TooManyRanges { ranges });
        }
        let layers = self.layers.into_iter().map(layer).collect::<Result<_, _>>()?;
        let value = Ranges {
            layers: Layers::new(layers),
            skipped: spans(self.skipped)?,
            in_hand: spans(self.in_hand)?,
            committed: self.committed.map(offset).transpose()?,
            end: self.end.map(offset).transpose()?,
            inexact: self.inexact,
            unpublished: self.unpublished,
        };
        Ok(RangesSeries { name, labels, value })
    }
}

impl RangesSeries<'_> {
    pub(crate) fn get(&self) -> (SeriesRef<'_>, &Ranges) {
        (SeriesRef { name: &self.name, labels: &self.labels }, &self.value)
    }
}

/// Ranges are compared with those of other runs, so they must name what they are ranges of.
fn check_labels(series: SeriesRef<'_>) -> Result<(), BadRecord> {
    let partition = series.label("partition").and_then(|partition| partition.parse::<i32>().ok());
    match (series.label("topic"), partition) {
        (Some(_), Some(0..)) => Ok(()),
        _ => Err(BadRecord::RangesWithoutPartition),
    }
}

fn layer(raw: Vec<[Count; 3]>) -> Result<Layer, BadRecord> {
    let mut end = Offset::ZERO;
    let ranges = raw.into_iter().map(|[start, stop, records]| {
        let span = next_span(start, stop, &mut end)?;
        let records = records.check()?;
        if records == 0 || records > span.size() {
            return Err(BadRecord::RangeCount { start: span.start, end: span.end, records });
        }
        Ok(OffsetRange { start: span.start, end: span.end, records })
    });
    ranges.collect::<Result<_, _>>().map(Layer::new)
}

fn spans(raw: Vec<[Count; 2]>) -> Result<Spans, BadRecord> {
    let mut end = Offset::ZERO;
    raw.into_iter().map(|[start, stop]| next_span(start, stop, &mut end)).collect()
}

/// The next span of a list, whose spans so far end at `end`.
fn next_span(start: Count, stop: Count, end: &mut Offset) -> Result<Span, BadRecord> {
    let span = Span::new(offset(start)?, offset(stop)?);
    if span.is_empty() {
        return Err(BadRecord::RangeBackwards { start: span.start, end: span.end });
    }
    if span.start < *end {
        return Err(BadRecord::RangesOverlap { start: span.start, before: *end });
    }
    *end = span.end;
    Ok(span)
}

fn offset(raw: Count) -> Result<Offset, BadRecord> {
    match raw {
        Count::Whole(offset) => i64::try_from(offset).map(Offset).map_err(|_| BadRecord::OffsetOutOfRange),
        Count::Negative | Count::TooLarge => Err(BadRecord::OffsetOutOfRange),
        Count::Fractional => Err(BadRecord::FractionalCount),
    }
}
