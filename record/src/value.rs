use crate::BadRecord;
use crate::counters::{Counters, RawCounters};
use crate::report_writer::push_counter;
use crate::series::SeriesRef;

/// What a report, a plain record or a row holds for one series.
///
/// A new type of value is a new variant. Every place that depends on the type matches without a wildcard, so that the
/// compiler names the places that lack the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// How much was counted since the start of the run, or of the program that writes plain records.
    Counter(u64),
}

/// The checked values of one record, in columns by type.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    counters: Counters<'a>,
}

impl<'a> Values<'a> {
    pub(crate) fn check(counters: RawCounters<'a>) -> Result<Self, BadRecord> {
        Ok(Self { counters: counters.check()? })
    }

    pub(crate) fn len(&self) -> usize {
        let Self { counters } = self;
        counters.len()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (SeriesRef<'_>, Value)> {
        let Self { counters } = self;
        counters.iter().map(|(series, count)| (series, Value::Counter(count)))
    }
}

/// Writes the fields of a JSON object that hold values: an array for each type.
pub(crate) fn push_values<'s>(json: &mut Vec<u8>, values: impl IntoIterator<Item = (SeriesRef<'s>, Value)>) {
    json.extend_from_slice(b"\"counters\":[");
    for (index, (series, value)) in values.into_iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        match value {
            Value::Counter(count) => push_counter(json, series, count),
        }
    }
    json.push(b']');
}
