//! Compares every total with the table at the offset that the total carries, in one pass over the log.

use std::collections::BTreeMap;

use quipu_config::{Config, Limits};
use quipu_record::{Aggregate, Series, Total};

use crate::audit::{self, Audits, is_derived};
use crate::fold::{Fold, Sum};
use crate::names::Names;
use crate::report::{Difference, Problem, Report, Unanswered};
use crate::row::Row;
use crate::snapshot::Snapshot;

const OLDER: &str = "can't be checked: older records expired or were compacted, and there is no changelog";
const NOT_CONFIGURED: &str = "no such audit is configured";

/// A running comparison.
#[derive(Debug)]
pub(crate) struct Check {
    fold: Fold,
    audits: Audits,
    limits: Limits,
    aggregates: BTreeMap<Series, Aggregate>,
    /// Every change up to this offset was published: it is the newest offset that was committed when the totals were
    /// read.
    published_to: Option<i64>,
    /// Whether the changelog has rows, which replace what is missing from the log.
    has_changelog: bool,
    /// The comparisons still to make, the newest first.
    comparisons: Vec<Comparison>,
    verdicts: BTreeMap<Series, Verdict>,
    report: Report,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Comparison {
    offset: i64,
    /// The series to check; `None` stands for all series that have no total.
    series: Option<Series>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    ByLog,
    WithChangelog,
    Differs,
}

/// The content of `metrics-agg`: the latest aggregate of each series, and the records that are not aggregates.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) aggregates: BTreeMap<Series, Aggregate>,
    pub(crate) unreadable: BTreeMap<Vec<u8>, String>,
}

impl Published {
    /// Applies one record of `metrics-agg`.
    pub(crate) fn see(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let key = key.unwrap_or_default();
        self.unreadable.remove(key);
        let series = std::str::from_utf8(key).ok().and_then(|text| text.parse::<Series>().ok());
        if let Some(series) = &series {
            self.aggregates.remove(series);
        }
        let Some(value) = value else { return };
        match Aggregate::decode(value) {
            Ok(aggregate) if aggregate.series.to_string().as_bytes() == key => {
                self.aggregates.insert(aggregate.series.clone(), aggregate);
            }
            Ok(aggregate) => {
                self.unreadable.insert(key.into(), format!("its value is about {}", aggregate.series));
            }
            Err(error) => {
                self.unreadable.insert(key.into(), error.to_string());
            }
        }
    }
}

impl Check {
    /// `committed` is the offset up to which everything was committed, if the changelog names it. It must be read after
    /// the changelog and before the totals.
    pub(crate) fn new(
        names: Names,
        snapshot: Snapshot,
        committed: Option<i64>,
        published: Published,
        Config { audits, limits, .. }: &Config,
    ) -> Self {
        // A row is committed together with its offset, but the row of a tombstone has no offset.
        let newest = snapshot.newest().max(committed);
        let has_changelog = snapshot.newest().is_some();
        let mut check = Self {
            fold: Fold::new(names, snapshot),
            audits: Audits::new(audits),
            limits: limits.clone(),
            published_to: newest,
            has_changelog,
            comparisons: Vec::new(),
            verdicts: BTreeMap::new(),
            report: Report { aggregates: published.aggregates.len(), ..Report::default() },
            aggregates: published.aggregates,
        };
        for (key, why) in published.unreadable {
            check.differ(Problem::Unreadable, &String::from_utf8_lossy(&key), None, None, None, Some(why));
        }
        for aggregate in check.aggregates.values() {
            let series = Some(aggregate.series.clone());
            check.comparisons.push(Comparison { offset: aggregate.offset.0, series: series.clone() });
            if let Some(offset) = newest.filter(|newest| *newest > aggregate.offset.0) {
                check.comparisons.push(Comparison { offset, series });
            }
        }
        check.comparisons.extend(newest.map(|offset| Comparison { offset, series: None }));
        check.comparisons.sort_unstable_by(|a, b| b.cmp(a));
        check
    }

    /// The offset of the last record that matters.
    pub(crate) fn until(&self) -> Option<i64> {
        self.comparisons.first().map(|comparison| comparison.offset).max(self.published_to)
    }

    /// Sets where the log begins and ends.
    pub(crate) fn set_log(&mut self, start: i64, end: i64) {
        (self.report.log_start, self.report.log_end) = (start, end);
    }

    /// Applies the next record of `metrics`.
    pub(crate) fn record(&mut self, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.compare_before(offset);
        self.fold.apply(offset, key, value);
        self.report.records += 1;
    }

    /// Ends the comparison, after the last record that matters.
    pub(crate) fn finish(mut self) -> Report {
        let end = self.report.log_end;
        self.compare_before(end);
        self.fold.advance(end - 1);
        for comparison in std::mem::take(&mut self.comparisons) {
            let Some(aggregate) = comparison.series.and_then(|series| self.aggregates.get(&series).cloned()) else {
                continue;
            };
            if aggregate.offset.0 >= end {
                let (Total::Counter(found) | Total::Delta(found)) = aggregate.total;
                let name = aggregate.series.to_string();
                let detail = format!("the log ends at {end}");
                self.verdicts.insert(aggregate.series, Verdict::Differs);
                self.differ(Problem::BeyondLog, &name, None, Some(found), Some(aggregate.offset.0), Some(detail));
            }
        }
        self.report_rows(end);
        for aggregate in std::mem::take(&mut self.aggregates).into_values() {
            match self.verdicts.get(&aggregate.series) {
                Some(Verdict::ByLog) => self.report.by_log += 1,
                Some(Verdict::WithChangelog) => self.report.with_changelog += 1,
                Some(Verdict::Differs) => {}
                None => {
                    let unknown =
                        is_derived(&aggregate.series) && self.audits.sum(&aggregate.series, &self.fold).is_none();
                    let why = if unknown { NOT_CONFIGURED } else { OLDER };
                    let (series, offset) = (aggregate.series.to_string(), aggregate.offset.0);
                    self.report.unanswered.push(Unanswered { series, offset, why });
                }
            }
        }
        self.report.rows = self.fold.rows_agree;
        self.report.over_limits =
            self.fold.most_rows > self.limits.max_rows || self.fold.names.len() > self.limits.max_series;
        self.report
    }

    fn compare_before(&mut self, offset: i64) {
        while let Some(comparison) = self.comparisons.pop_if(|comparison| comparison.offset < offset) {
            self.fold.advance(comparison.offset);
            match &comparison.series {
                Some(series) => {
                    if let Some(aggregate) = self.aggregates.get(series).cloned() {
                        self.compare(&aggregate, comparison.offset);
                    }
                }
                None => self.missing(comparison.offset),
            }
        }
    }

    fn compare(&mut self, aggregate: &Aggregate, offset: i64) {
        let series = &aggregate.series;
        // If records are missing, the changelog replaces them, but only from the offset on at which it was committed.
        let lacking = self.fold.may_lack(offset)
            && !(self.has_changelog && self.published_to.is_some_and(|published| offset >= published));
        if lacking || self.verdicts.get(series) == Some(&Verdict::Differs) {
            return;
        }
        let sum = if !is_derived(series) {
            self.fold.sum(series)
        } else if let Some(sum) = self.audits.sum(series, &self.fold) {
            sum
        } else if let Some(count) = audit::delta(aggregate, &self.aggregates) {
            Sum { count, ..Sum::default() }
        } else {
            return;
        };
        self.report.offset = self.report.offset.max(Some(offset));
        let (Total::Counter(found) | Total::Delta(found)) = aggregate.total;
        let verdict = if sum.count != found {
            // If the total could not be checked at the offset that it carries, the problem is a wrong total, not a
            // stale one.
            let problem = if self.verdicts.contains_key(series) { Problem::Stale } else { Problem::Total };
            let earlier = (offset != aggregate.offset.0).then(|| format!("published at offset {}", aggregate.offset));
            self.differ(problem, &series.to_string(), Some(sum.count), Some(found), Some(offset), earlier);
            Verdict::Differs
        } else if sum.from_changelog > 0 {
            Verdict::WithChangelog
        } else {
            Verdict::ByLog
        };
        self.verdicts.insert(series.clone(), verdict);
    }

    /// Finds the series that should have been published by `offset`.
    fn missing(&mut self, offset: i64) {
        if self.fold.may_lack(offset) && !self.has_changelog {
            return;
        }
        let derived = self.audits.series(&self.fold);
        let derived = derived.iter().map(|(series, sum)| (series, *sum)).filter(|(_, sum)| sum.rows > 0);
        let absent = self.fold.sums().chain(derived).filter(|(series, _)| !self.aggregates.contains_key(*series));
        let absent: Vec<_> = absent.map(|(series, sum)| (series.to_string(), sum.count)).collect();
        for (series, count) in absent {
            // A record under this key that can't be read may have been reported already.
            if self.report.differences.iter().any(|difference| difference.name == series) {
                continue;
            }
            self.differ(Problem::Missing, &series, Some(count), None, Some(offset), None);
        }
    }

    fn report_rows(&mut self, end: i64) {
        let name = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        for (key, row, stored) in std::mem::take(&mut self.fold.rows_differ) {
            let detail =
                format!("the log gives {}, the changelog has {}", describe(row.as_ref()), describe(Some(&stored)));
            self.differ(Problem::Row, &name(&key), None, None, Some(stored.offset), Some(detail));
        }
        let beyond: Vec<_> = self.fold.stored_beyond().map(|(key, stored)| (name(key), stored.offset)).collect();
        for (key, offset) in beyond {
            let detail = format!("a row of the changelog; the log ends at {end}");
            self.differ(Problem::BeyondLog, &key, None, None, Some(offset), Some(detail));
        }
    }

    fn differ(
        &mut self,
        problem: Problem,
        name: &str,
        expected: Option<i128>,
        found: Option<i128>,
        offset: Option<i64>,
        detail: Option<String>,
    ) {
        let name = name.to_owned();
        self.report.differences.push(Difference { problem, name, expected, found, offset, detail });
    }
}

fn describe(row: Option<&Row>) -> String {
    let Some(row) = row else { return "no row".to_owned() };
    let total: i128 = row.contributions().map(|(_, count)| count).sum();
    format!("{} series with {total} in all as of offset {} ({:?})", row.counters.len(), row.offset, row.kind)
}

#[cfg(test)]
mod tests;
