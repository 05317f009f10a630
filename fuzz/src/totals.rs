//! Totals as lines: the text of a series, then its count, timestamp, instances and type, between tabs. What is missing has a
//! default, and a line without a series is skipped.

use std::collections::BTreeSet;

use quipu_record::{Aggregate, Millis, Offset, Total};

/// The totals of an input, each series once.
pub(crate) fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Aggregate> {
    let mut seen = BTreeSet::new();
    lines.into_iter().filter_map(total).filter(|total| seen.insert(total.series.clone())).collect()
}

fn total(line: &str) -> Option<Aggregate> {
    let mut fields = line.split('\t');
    let series = fields.next()?.parse().ok()?;
    let mut number = || fields.next().and_then(|text| text.parse::<i128>().ok());
    let count = number().unwrap_or(1);
    let timestamp = number().and_then(|time| time.try_into().ok()).unwrap_or(1_718_900_012_345);
    let instances = number().and_then(|instances| instances.try_into().ok()).unwrap_or(1);
    let total = if fields.next() == Some("gauge") { Total::Delta(count) } else { Total::Counter(count) };
    Some(Aggregate { series, total, timestamp: Millis(timestamp), offset: Offset(1), instances })
}

/// The number in a total.
pub(crate) fn count(total: &Total) -> i128 {
    match total {
        Total::Counter(count) | Total::Delta(count) => *count,
    }
}
