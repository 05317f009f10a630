//! The expected values of an audit's series.

use std::collections::BTreeMap;

use quipu_config::Audit;
use quipu_record::{Aggregate, Series, Total, limits};

use crate::fold::{Fold, Sum};

const SENT: &str = "quipu_audit_sent";
const PROCESSED: &str = "quipu_audit_processed";
const DELTA: &str = "quipu_audit_delta";

/// The audits of the configuration: a name, and the patterns of what was sent and what was processed.
#[derive(Debug, Default)]
pub(crate) struct Audits(Vec<(String, Series, Series)>);

pub(crate) fn is_derived(series: &Series) -> bool {
    series.name().starts_with(limits::RESERVED_PREFIX)
}

impl Audits {
    pub(crate) fn new(configured: &[Audit]) -> Self {
        let pattern = |text: String| text.parse::<Series>().ok();
        let audits = configured.iter().filter_map(|audit| {
            Some((audit.name.clone(), pattern(audit.sent.to_string())?, pattern(audit.processed.to_string())?))
        });
        Self(audits.collect())
    }

    /// The derived series that should exist, as far as their sides have rows.
    pub(crate) fn series(&self, fold: &Fold) -> Vec<(Series, Sum)> {
        let names = self.0.iter().flat_map(|(audit, ..)| {
            [SENT, PROCESSED, DELTA].into_iter().filter_map(|name| Series::new(name, [("audit", audit.as_str())]).ok())
        });
        names.filter_map(|series| Some((self.sum(&series, fold)?, series))).map(|(sum, series)| (series, sum)).collect()
    }

    /// The expected value of a derived series; `None` if its audit is not configured.
    pub(crate) fn sum(&self, series: &Series, fold: &Fold) -> Option<Sum> {
        let [(label, audit)] = series.labels() else { return None };
        let (_, sent, processed) = self.0.iter().find(|(name, ..)| label == "audit" && name == audit)?;
        let total = |pattern: &Series| -> Sum {
            fold.sums().filter(|(series, _)| matches(pattern, series)).map(|(_, sum)| sum).sum()
        };
        let (sent, processed) = (total(sent), total(processed));
        let count = match series.name() {
            SENT => sent.count,
            PROCESSED => processed.count,
            DELTA => processed.count - sent.count,
            _ => return None,
        };
        let both: Sum = [sent, processed].into_iter().sum();
        Some(Sum { count, ..both })
    }
}

/// The delta that follows from the two other series of its audit, if all three were published at the same offset.
pub(crate) fn delta(aggregate: &Aggregate, all: &BTreeMap<Series, Aggregate>) -> Option<i128> {
    let other = |name: &str| {
        let labels = aggregate.series.labels().iter().map(|(label, value)| (label.as_ref(), value.as_ref()));
        let other = all.get(&Series::new(name, labels).ok()?).filter(|other| other.offset == aggregate.offset)?;
        let (Total::Counter(count) | Total::Delta(count)) = other.total;
        Some(count)
    };
    (aggregate.series.name() == DELTA).then_some(())?;
    Some(other(PROCESSED)? - other(SENT)?)
}

fn matches(pattern: &Series, series: &Series) -> bool {
    pattern.name() == series.name() && pattern.labels().iter().all(|label| series.labels().contains(label))
}
