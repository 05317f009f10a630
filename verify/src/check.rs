//! Compares every total with the table at the offset that the total carries, in one pass over the log.

mod published;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use quipu_config::{Config, Limits};
use quipu_record::{Aggregate, Series, Total};

use crate::audit::{self, Audits, is_derived};
use crate::fold::{Findings, Fold, LogRecord, RowDifference, Sum};
use crate::names::Names;
use crate::report::{Difference, NotByLog, Problem, Report, Unanswered};
use crate::retention::Retention;
use crate::row::Row;
use crate::snapshot::Snapshot;

pub(crate) use published::Published;

const OLDER: &str = "can't be checked: older records expired or were compacted, and there is no changelog";
const NOT_CONFIGURED: &str = "no such audit is configured";

/// A running comparison.
#[derive(Debug)]
pub(crate) struct Check {
    fold: Fold,
    audits: Audits,
    limits: Limits,
    published: Published,
    /// Every change up to this offset was published: it is the newest offset that was committed when the totals were
    /// read.
    published_to: Option<i64>,
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
    WithChangelog(Sum),
    Differs,
}

impl Check {
    /// The totals must be read after the changelog.
    pub(crate) fn new(
        names: Names,
        snapshot: Snapshot,
        published: Published,
        config: &Config,
        retention: Retention,
    ) -> Self {
        let newest = snapshot.newest();
        let mut check = Self {
            fold: Fold::new(names, snapshot, retention),
            audits: Audits::new(&config.audits),
            limits: config.limits.clone(),
            published_to: newest,
            comparisons: Vec::new(),
            verdicts: BTreeMap::new(),
            report: Report { aggregates: published.aggregates.len(), ..Report::default() },
            published,
        };
        for (key, why) in std::mem::take(&mut check.published.unreadable) {
            check.differ(Problem::Unreadable, &String::from_utf8_lossy(&key), None, None, None, Some(why));
        }
        for aggregate in check.published.aggregates.values() {
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
    pub(crate) fn record(&mut self, record: LogRecord<'_>) {
        self.compare_before(record.offset);
        self.fold.apply(record);
        self.report.records += 1;
    }

    /// Ends the comparison, after the last record that matters.
    pub(crate) fn finish(mut self) -> Report {
        let end = self.report.log_end;
        self.compare_before(end);
        self.fold.advance(end - 1);
        for comparison in std::mem::take(&mut self.comparisons) {
            let Some(aggregate) = comparison.series.and_then(|series| self.published.aggregates.get(&series).cloned())
            else {
                continue;
            };
            if aggregate.offset.0 >= end {
                let (Total::Counter(found) | Total::Delta(found)) = aggregate.total;
                let (name, found) = (aggregate.series.to_string(), Some(found));
                let detail = format!("the log ends at {end}");
                self.verdicts.insert(aggregate.series, Verdict::Differs);
                self.differ(Problem::BeyondLog, &name, None, found, Some(aggregate.offset.0), Some(detail));
            }
        }
        self.report.rows = self.fold.findings.rows_agree;
        self.report.retired = self.fold.findings.retired_agree;
        self.report.expired_otherwise = self.fold.findings.expired_otherwise;
        self.report_rows(end);
        for aggregate in std::mem::take(&mut self.published.aggregates).into_values() {
            match self.verdicts.get(&aggregate.series) {
                Some(Verdict::ByLog) => self.report.by_log += 1,
                Some(Verdict::WithChangelog(sum)) => {
                    self.report.with_changelog += 1;
                    let (series, rows, retired_rows) =
                        (aggregate.series.to_string(), sum.from_changelog, sum.retired_from_changelog);
                    self.report.not_by_log.push(NotByLog { series, rows, retired_rows });
                }
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
        self.report.over_limits =
            self.fold.most_rows > self.limits.max_rows || self.fold.names.len() > self.limits.max_series;
        self.report
    }

    fn compare_before(&mut self, offset: i64) {
        while let Some(comparison) = self.comparisons.pop_if(|comparison| comparison.offset < offset) {
            self.fold.advance(comparison.offset);
            match &comparison.series {
                Some(series) => {
                    if let Some(aggregate) = self.published.aggregates.get(series).cloned() {
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
        let lacking = self.fold.may_lack(offset) && self.published_to.is_none_or(|published| offset < published);
        if lacking || self.verdicts.get(series) == Some(&Verdict::Differs) {
            return;
        }
        let sum = if !is_derived(series) {
            self.fold.sum(series)
        } else if let Some(sum) = self.audits.sum(series, &self.fold) {
            sum
        } else if let Some(count) = audit::delta(aggregate, &self.published.aggregates) {
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
        } else if sum.from_changelog + sum.retired_from_changelog > 0 {
            Verdict::WithChangelog(sum)
        } else {
            Verdict::ByLog
        };
        self.verdicts.insert(series.clone(), verdict);
    }

    /// Finds the series that should have been published by `offset`.
    fn missing(&mut self, offset: i64) {
        let derived = self.audits.series(&self.fold);
        let derived = derived.iter().map(|(series, sum)| (series, *sum)).filter(|(_, sum)| sum.rows > 0);
        let absent = self
            .fold
            .sums()
            .chain(derived)
            .filter(|(series, _)| !self.published.aggregates.contains_key(*series))
            // The totals are read after the changelog, so a series may have been removed since.
            .filter(|(series, _)| !self.published.was_removed_after(series, offset));
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
        let Findings { rows_differ, retired_differ, .. } = std::mem::take(&mut self.fold.findings);
        for RowDifference { key, by_log: row, by_changelog: stored } in rows_differ {
            let (by_log, by_changelog) = (describe(row.as_ref()), describe(stored.as_ref()));
            let detail = format!("the log gives {by_log}, the changelog has {by_changelog}");
            let offset = stored.or(row).map(|row| row.offset);
            self.differ(Problem::Row, &name(&key), None, None, offset, Some(detail));
        }
        for (id, by_log, by_changelog) in retired_differ {
            let series = self.fold.names.get(id).to_string();
            self.differ(Problem::Retired, &series, Some(by_log), Some(by_changelog), self.published_to, None);
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
