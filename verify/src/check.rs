//! Compares every total with the table at the offset that it carries, in one pass over the log.

use std::collections::BTreeMap;

use quipu_config::{Config, Limits};
use quipu_record::{Aggregate, Series};

use crate::audit::{self, Audits, is_derived};
use crate::fold::{Fold, Sum};
use crate::names::Names;
use crate::report::{Difference, Problem, Report, Unanswered};
use crate::row::Row;
use crate::snapshot::Snapshot;

const OLDER: &str = "older than what the log can answer: records expired or were compacted, and there is no changelog";
const NOT_CONFIGURED: &str = "no such audit is configured";

/// A comparison that is under way.
#[derive(Debug)]
pub(crate) struct Check {
    fold: Fold,
    audits: Audits,
    limits: Limits,
    aggregates: BTreeMap<Series, Aggregate>,
    /// All that changed up to this offset was said: the newest that was committed when the totals were read.
    said: Option<i64>,
    /// Whether there are rows that help where the log is not whole.
    helped: bool,
    /// The newest last.
    questions: Vec<Question>,
    verdicts: BTreeMap<Series, Verdict>,
    report: Report,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    offset: i64,
    /// The total that is meant; all that are not there, if none.
    series: Option<Series>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    ByLog,
    WithChangelog,
    Differs,
}

/// What `metrics-agg` says: the latest record of each series, and what is none.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) aggregates: BTreeMap<Series, Aggregate>,
    pub(crate) unreadable: BTreeMap<Vec<u8>, String>,
}

impl Said {
    /// One record of `metrics-agg`.
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
    /// `committed` is the offset up to which everything was committed, as far as it is known, after the changelog was
    /// read and before the totals were.
    pub(crate) fn new(
        names: Names,
        snapshot: Snapshot,
        committed: Option<i64>,
        said: Said,
        Config { audits, limits, .. }: &Config,
    ) -> Self {
        // A row is committed together with its offset; but a tombstone's row names none.
        let newest = snapshot.newest().max(committed);
        let helped = snapshot.newest().is_some();
        let mut check = Self {
            fold: Fold::new(names, snapshot),
            audits: Audits::new(audits),
            limits: limits.clone(),
            said: newest,
            helped,
            questions: Vec::new(),
            verdicts: BTreeMap::new(),
            report: Report { aggregates: said.aggregates.len(), ..Report::default() },
            aggregates: said.aggregates,
        };
        for (key, why) in said.unreadable {
            check.differ(Problem::Unreadable, &String::from_utf8_lossy(&key), None, None, None, Some(why));
        }
        for aggregate in check.aggregates.values() {
            let series = Some(aggregate.series.clone());
            check.questions.push(Question { offset: aggregate.offset.0, series: series.clone() });
            if let Some(offset) = newest.filter(|newest| *newest > aggregate.offset.0) {
                check.questions.push(Question { offset, series });
            }
        }
        check.questions.extend(newest.map(|offset| Question { offset, series: None }));
        check.questions.sort_unstable_by(|a, b| b.cmp(a));
        check
    }

    /// The offset of the last record that matters.
    pub(crate) fn until(&self) -> Option<i64> {
        self.questions.first().map(|question| question.offset).max(self.said)
    }

    /// The log's ends.
    pub(crate) fn set_log(&mut self, start: i64, end: i64) {
        (self.report.log_start, self.report.log_end) = (start, end);
    }

    /// The next record of `metrics`.
    pub(crate) fn record(&mut self, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.answer_before(offset);
        self.fold.apply(offset, key, value);
        self.report.records += 1;
    }

    /// There are no more records that matter.
    pub(crate) fn finish(mut self) -> Report {
        let end = self.report.log_end;
        self.answer_before(end);
        self.fold.advance(end - 1);
        for question in std::mem::take(&mut self.questions) {
            let Some(aggregate) = question.series.and_then(|series| self.aggregates.get(&series).cloned()) else {
                continue;
            };
            if aggregate.offset.0 >= end {
                let (name, found) = (aggregate.series.to_string(), Some(aggregate.count));
                let detail = format!("the log ends at {end}");
                self.verdicts.insert(aggregate.series, Verdict::Differs);
                self.differ(Problem::BeyondLog, &name, None, found, Some(aggregate.offset.0), Some(detail));
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

    fn answer_before(&mut self, offset: i64) {
        while let Some(question) = self.questions.pop_if(|question| question.offset < offset) {
            self.fold.advance(question.offset);
            match &question.series {
                Some(series) => {
                    if let Some(aggregate) = self.aggregates.get(series).cloned() {
                        self.answer(&aggregate, question.offset);
                    }
                }
                None => self.missing(question.offset),
            }
        }
    }

    fn answer(&mut self, aggregate: &Aggregate, offset: i64) {
        let series = &aggregate.series;
        // The changelog answers where the log can't, but only from the offset on that it was committed with.
        let lacking = self.fold.may_lack(offset) && !(self.helped && self.said.is_some_and(|said| offset >= said));
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
        let verdict = if sum.count != aggregate.count {
            // Where the log could not tell whether it was right when it was said, it is just wrong.
            let problem = if self.verdicts.contains_key(series) { Problem::Stale } else { Problem::Total };
            let earlier = (offset != aggregate.offset.0).then(|| format!("said at offset {}", aggregate.offset));
            self.differ(problem, &series.to_string(), Some(sum.count), Some(aggregate.count), Some(offset), earlier);
            Verdict::Differs
        } else if sum.helped > 0 {
            Verdict::WithChangelog
        } else {
            Verdict::ByLog
        };
        self.verdicts.insert(series.clone(), verdict);
    }

    /// Finds the series that should have been said by `offset`.
    fn missing(&mut self, offset: i64) {
        if self.fold.may_lack(offset) && !self.helped {
            return;
        }
        let derived = self.audits.series(&self.fold);
        let derived = derived.iter().map(|(series, sum)| (series, *sum)).filter(|(_, sum)| sum.rows > 0);
        let absent = self.fold.sums().chain(derived).filter(|(series, _)| !self.aggregates.contains_key(*series));
        let absent: Vec<_> = absent.map(|(series, sum)| (series.to_string(), sum.count)).collect();
        for (series, count) in absent {
            // What stands in its place may have been reported: it can't be read.
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
