//! The query API: what the aggregator knows, as JSON. Read-only and bounded; `docs/query-api.md` documents it.

use std::ops::Bound;
use std::sync::Arc;

use axum::http::Uri;
use quipu_config::Audit;
use quipu_record::{Aggregate, Offset, Selector, Series};
use quipu_topology::audit::{DELTA, PROCESSED, SENT};
use serde::Serialize;

use super::parameters::Parameters;
use super::view::{PAGE, View};
use crate::sink::{Snapshot, Status};

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("{0}")]
    BadRequest(String),
    #[error("the totals are not available: the aggregator is reading the log, or this process is a standby")]
    NotReady,
    #[error("{0}")]
    NoTotal(String),
    #[error("too many requests at once; retry later")]
    Busy,
}

/// Which totals are wanted.
#[derive(Debug)]
pub(crate) struct TotalsQuery {
    /// Only the totals that it selects.
    pub(super) selector: Option<Selector>,
    /// The most totals in the answer.
    pub(super) limit: usize,
    /// The series after which to begin: `next` of the page before.
    pub(super) after: Option<Series>,
}

impl TotalsQuery {
    pub(crate) fn read(uri: &Uri) -> Result<Self, QueryError> {
        let parameters = Parameters::read(uri, &["match", "limit", "after"])?;
        Ok(Self { selector: parameters.selector()?, limit: parameters.limit()?, after: parameters.after_series()? })
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct TotalsAnswer {
    /// The next source offset when the totals were committed.
    position: Offset,
    pub(super) totals: Vec<Aggregate>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct AuditAnswer {
    /// The next source offset when the audits' totals were committed.
    position: Offset,
    audits: Vec<AuditState>,
}

#[derive(Debug, Serialize)]
struct AuditState {
    name: String,
    sent: Option<i128>,
    processed: Option<i128>,
    /// Processed less sent.
    delta: Option<i128>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StatusAnswer {
    application_id: String,
    version: &'static str,
    /// Whether the totals are all here.
    ready: bool,
    /// The next source offset when the totals were committed; none until they are all here.
    position: Option<Offset>,
    /// How many series have a total; none until the totals are all here.
    series: Option<usize>,
    sinks: Vec<Snapshot>,
}

pub(crate) fn totals(view: &View, query: TotalsQuery) -> Result<TotalsAnswer, QueryError> {
    let TotalsQuery { selector, limit, after } = query;
    let first = selector.as_ref().and_then(|selector| Series::new(selector.name(), [("", ""); 0]).ok());
    let mut from = match (after, first) {
        (Some(after), Some(first)) if after < first => Bound::Included(first),
        (Some(after), _) => Bound::Excluded(after),
        (None, Some(first)) => Bound::Included(first),
        (None, None) => Bound::Unbounded,
    };
    let (mut totals, mut first) = (Vec::new(), None);
    loop {
        let page = view.page(from.as_ref(), PAGE).ok_or(QueryError::NotReady)?;
        // Totals of later parts may be newer.
        let position = *first.get_or_insert(page.position);
        for entry in &page.entries {
            if let Some(selector) = &selector {
                if selector.name() != entry.series.name() {
                    return Ok(TotalsAnswer { position, totals, next: None });
                }
                if !selector.matches(&entry.series.as_ref().as_ref()) {
                    continue;
                }
            }
            if totals.len() == limit {
                let next = totals.last().map(|last: &Aggregate| last.series.to_string());
                return Ok(TotalsAnswer { position, totals, next });
            }
            totals.push(entry.to_aggregate());
        }
        match page.entries.into_iter().next_back() {
            Some(last) if page.more => from = Bound::Excluded(Arc::unwrap_or_clone(last.series)),
            _ => return Ok(TotalsAnswer { position, totals, next: None }),
        }
    }
}

pub(crate) fn audit(view: &View, audits: &[Audit]) -> Result<AuditAnswer, QueryError> {
    let of_each = |audit: &Audit| {
        [SENT, PROCESSED, DELTA].map(|metric| Series::new(metric, [("audit", audit.name.as_str())]).ok())
    };
    let series: Vec<_> = audits.iter().flat_map(of_each).collect();
    let (position, counts) = view.counts(&series).ok_or(QueryError::NotReady)?;
    let states = audits.iter().zip(counts.as_chunks().0);
    let state = |(audit, &[sent, processed, delta]): (&Audit, &[Option<i128>; 3])| AuditState {
        name: audit.name.clone(),
        sent,
        processed,
        delta,
    };
    Ok(AuditAnswer { position, audits: states.map(state).collect() })
}

pub(crate) fn status(application_id: &str, version: &'static str, view: &View, sinks: &[Arc<Status>]) -> StatusAnswer {
    let committed = view.position();
    StatusAnswer {
        application_id: application_id.to_owned(),
        version,
        ready: committed.is_some(),
        position: committed.map(|(position, _)| position),
        series: committed.map(|(_, series)| series),
        sinks: sinks.iter().map(|sink| sink.snapshot()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::total;
    use super::*;

    fn ask(
        view: &View,
        selector: Option<&str>,
        limit: Option<usize>,
        after: Option<&str>,
    ) -> (Vec<String>, Option<String>) {
        let query = TotalsQuery {
            selector: selector.map(|text| text.parse().expect("a selector")),
            limit: limit.unwrap_or(usize::MAX),
            after: after.map(|text| text.parse().expect("a series")),
        };
        let answer = totals(view, query).expect("an answer");
        (answer.totals.iter().map(|total| total.series.to_string()).collect(), answer.next)
    }

    #[test]
    fn a_selector_selects_and_a_limit_makes_pages() {
        let view = View::default();
        let all = [r#"a{k="1",z="x"}"#, r#"a{k="2"}"#, r#"a{k="3",z="x"}"#, "ab", "b"];
        view.update(Offset(9), &all.map(|series| total(series, 1)), &[]);
        assert_eq!(ask(&view, None, None, None), (all.map(str::to_owned).to_vec(), None));
        assert_eq!(ask(&view, Some(r#"a{z="x"}"#), None, None).0, [all[0], all[2]]);
        assert_eq!(ask(&view, Some("b"), Some(1), None), (vec!["b".to_owned()], None));
        let (first, next) = ask(&view, Some("a"), Some(2), None);
        assert_eq!((first, next.as_deref()), (vec![all[0].to_owned(), all[1].into()], Some(all[1])));
        assert_eq!(ask(&view, Some("a"), Some(2), next.as_deref()), (vec![all[2].to_owned()], None));
    }

    #[test]
    fn there_is_no_answer_before_the_totals_are_there() {
        let query = TotalsQuery::read(&Uri::from_static("/api/v1/totals")).expect("a query");
        assert_eq!(totals(&View::default(), query).expect_err("not ready"), QueryError::NotReady);
    }

    fn named(names: &[&str]) -> Vec<Audit> {
        let audit = |name: &&str| Audit {
            name: (*name).to_owned(),
            sent: "a".parse().expect("a selector"),
            processed: "b".parse().expect("a selector"),
        };
        names.iter().map(audit).collect()
    }

    #[test]
    fn audits_and_their_position_are_of_one_commit() {
        const COMMITS: i64 = 20_000;
        let (view, audits) = (View::default(), named(&["x"; 100]));
        let series = SENT.to_owned() + r#"{audit="x"}"#;
        let commit = |position: i64| view.update(Offset(position), &[total(&series, position.into())], &[]);
        commit(0);
        std::thread::scope(|scope| {
            scope.spawn(|| (1..=COMMITS).for_each(commit));
            loop {
                let answer = audit(&view, &audits).expect("ready");
                let position = answer.position.0;
                assert!(answer.audits.iter().all(|audit| audit.sent == Some(position.into())), "{position}");
                if position == COMMITS {
                    break;
                }
            }
        });
    }

    #[test]
    fn an_audit_is_its_three_totals() {
        let view = View::default();
        let series = |name: &str| format!("quipu_audit_{name}{{audit=\"auth\"}}");
        view.update(
            Offset(3),
            &[total(&series("sent"), 5), total(&series("processed"), 7), total(&series("delta"), 2)],
            &[],
        );
        let json = serde_json::to_string(&audit(&view, &named(&["auth", "none"])).expect("ready")).expect("JSON");
        assert_eq!(
            json,
            r#"{"position":3,"audits":[{"name":"auth","sent":5,"processed":7,"delta":2},{"name":"none","sent":null,"processed":null,"delta":null}]}"#
        );
    }
}
