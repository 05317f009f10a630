//! What a total is made of.

use axum::http::Uri;
use quipu_record::{Key, Millis, Offset, RunKey, Series, limits};
use quipu_topology::{Amount, Explanation, Part, PartSum, RowKind};
use serde::Serialize;

use super::parameters::Parameters;
use super::query::{QueryError, TotalsQuery, totals};
use super::view::View;

/// How many other series of the same name an error lists.
const LISTED: usize = 10;

/// Which total is to be explained.
#[derive(Debug)]
pub(super) struct ExplainQuery {
    pub(super) series: Series,
    /// The most rows in the answer.
    pub(super) limit: usize,
}

impl ExplainQuery {
    pub(super) fn read(uri: &Uri) -> Result<Self, QueryError> {
        let parameters = Parameters::read(uri, &["series", "limit"])?;
        Ok(Self { series: parameters.series()?, limit: parameters.limit()? })
    }
}

/// All parts of a total, as of one position: `parts`, `omitted` and `retired` add up to `total`.
#[derive(Debug, Serialize)]
pub(super) struct ExplainAnswer {
    /// The next source offset to be applied; the last commit may be behind it.
    position: Offset,
    series: String,
    total: i128,
    /// The rows that contribute the most, in descending order.
    parts: Vec<PartAnswer>,
    /// The rows beyond the limit.
    omitted: SumAnswer,
    /// The rows that expired.
    retired: SumAnswer,
}

/// What one row contributes.
#[derive(Debug, Serialize)]
struct PartAnswer {
    /// The key of its records.
    key: String,
    /// What the user calls it; nothing for a plain key.
    instance: Option<String>,
    /// The UUID of its run; nothing for a plain key.
    run: Option<String>,
    /// Which part of the run's counters it has, from 0 on; nothing for a plain key.
    part: Option<u32>,
    /// `live`, `left` or `silent`; `live` or `idle` for a plain key.
    state: &'static str,
    /// What it contributes.
    value: i128,
    /// The offset of its newest record.
    offset: Offset,
    /// Event time of that record, in ms since 1970.
    last_seen: Millis,
}

#[derive(Debug, Serialize)]
struct SumAnswer {
    rows: u64,
    value: i128,
}

impl ExplainAnswer {
    pub(super) fn new(series: &Series, explanation: Explanation) -> Self {
        let Explanation { position, total, parts, omitted, retired } = explanation;
        Self {
            position,
            series: series.to_string(),
            total: value(total),
            parts: parts.into_iter().map(part).collect(),
            omitted: sum(omitted),
            retired: sum(retired),
        }
    }
}

fn part(part: Part) -> PartAnswer {
    let Part { key, meta, amount } = part;
    let run = match Key::decode(Some(&key)) {
        Ok(Key::Run(run)) => Some(run),
        _ => None,
    };
    PartAnswer {
        instance: run.map(|RunKey { instance, .. }| instance.to_owned()),
        run: run.map(|run| run.run.to_string()),
        part: run.map(|run| run.part),
        state: match meta.kind {
            _ if meta.live => "live",
            RowKind::Run { is_final: true, .. } => "left",
            RowKind::Run { is_final: false, .. } => "silent",
            RowKind::Plain { .. } => "idle",
        },
        value: value(amount),
        offset: meta.offset,
        last_seen: meta.last_seen,
        key: String::from_utf8_lossy(&key).into_owned(),
    }
}

fn sum(sum: PartSum) -> SumAnswer {
    SumAnswer { rows: sum.rows, value: value(sum.amount) }
}

fn value(amount: Amount) -> i128 {
    let Amount::Counter(count) = amount;
    count
}

/// The error for a series without a total, which names what there is instead.
pub(super) fn no_total(view: &View, series: &Series) -> QueryError {
    let name = series.name();
    if name.starts_with(limits::RESERVED_PREFIX) {
        return QueryError::NoTotal(format!("{series} is computed from totals; explain the series that it compares"));
    }
    let same_name =
        name.parse().ok().map(|selector| TotalsQuery { selector: Some(selector), limit: LISTED, after: None });
    let found = same_name.and_then(|query| totals(view, query).ok());
    let found: Vec<_> = found.iter().flat_map(|found| &found.totals).map(|total| total.series.to_string()).collect();
    QueryError::NoTotal(match found.as_slice() {
        [] => format!("there is no total of {series}; /api/v1/totals lists all totals"),
        found => format!("there is no total of {series}; series of this name: {}", found.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use quipu_topology::{Explained, Retention, Settings, SourceRecord, Topology};

    use super::super::tests::total;
    use super::*;

    #[test]
    fn an_answer_has_a_line_for_each_row() {
        let mut topology = Topology::new(Settings {
            instance_timeout: Millis(1000),
            refresh_interval: Millis(1000),
            retention: Retention::default(),
            max_rows: 9,
            max_series: 9,
            audits: Vec::new(),
        });
        let report = |run, is_final, count| {
            format!(
                r#"{{"v":1,"instance":"app/1","run":"01920000-0000-7000-8000-00000000000{run}","at":1,"seq":1,"interval_ms":1,"final":{is_final},"counters":[{{"name":"n","value":{count}}}]}}"#
            )
        };
        let run = |number| format!("app/1/01920000-0000-7000-8000-00000000000{number}");
        let log = [
            (run(1), report(1, true, 50)),
            (run(2), report(2, false, 70)),
            ("plain".to_owned(), r#"{"name":"n","count":40}"#.to_owned()),
            ("plain".to_owned(), r#"{"name":"n","count":5}"#.to_owned()),
            ("other".to_owned(), r#"{"name":"n","count":1}"#.to_owned()),
        ];
        for (offset, (key, value)) in (0..).zip(&log) {
            let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
            let record =
                SourceRecord { offset: Offset(offset), timestamp: Some(Millis(5)), is_append_time: true, key, value };
            topology.process(&record, Millis(5)).expect("a record");
        }
        let series = "n".parse().expect("a series");
        let Explained::Done(explanation) = topology.explain(&series, 100, 3) else { panic!("a total") };
        let answer = serde_json::to_value(ExplainAnswer::new(&series, explanation)).expect("JSON");
        assert_eq!(
            answer,
            serde_json::json!({
                "position": 5, "series": "n", "total": 166,
                "parts": [
                    {"key": run(2), "instance": "app/1", "run": &run(2)[6..], "part": 0, "state": "live", "value": 70,
                     "offset": 1, "last_seen": 5},
                    {"key": run(1), "instance": "app/1", "run": &run(1)[6..], "part": 0, "state": "left", "value": 50,
                     "offset": 0, "last_seen": 5},
                    {"key": "plain", "instance": null, "run": null, "part": null, "state": "live", "value": 45,
                     "offset": 3, "last_seen": 5},
                ],
                "omitted": {"rows": 1, "value": 1},
                "retired": {"rows": 0, "value": 0},
            })
        );
    }

    #[test]
    fn an_error_names_what_can_be_explained() {
        let view = View::default();
        view.update(Offset(1), &[total(r#"a{k="1"}"#, 1), total(r#"a{k="2"}"#, 1), total("ab", 1)], &[]);
        let error = |series: &str| no_total(&view, &series.parse().expect("a series")).to_string();
        assert_eq!(error("a"), r#"there is no total of a; series of this name: a{k="1"}, a{k="2"}"#);
        assert_eq!(error("c"), "there is no total of c; /api/v1/totals lists all totals");
        let audit = r#"quipu_audit_delta{audit="x"}"#;
        assert!(error(audit).starts_with(&format!("{audit} is computed from totals; ")));
    }
}
