//! What is served over HTTP: the process's own metrics and health, the totals for Prometheus, and the query API.

mod explain;
mod exposition;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod instances;
mod landing;
mod parameters;
mod process;
mod queries;
mod query;
mod view;

use std::ops::Bound;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use quipu_config::{Audit, Config};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use queries::Queries;
pub(crate) use view::View;

use crate::health::Freshness;
use crate::sink::Status;
use explain::{ExplainAnswer, ExplainQuery};
use exposition::Exposition;
use instances::InstancesQuery;
use landing::Landing;
use parameters::Parameters;
use queries::Client;
use query::{QueryError, TotalsQuery};
use view::PAGE;

/// How many answers with all totals may be in memory at once, each until its last byte was sent: enough for two Prometheus
/// servers and two more readers.
const EXPOSITIONS: usize = 4;

/// What the HTTP routes answer from.
#[derive(Clone)]
pub(crate) struct HttpState {
    pub(crate) view: View,
    pub(crate) freshness: Freshness,
    /// The status of each sink; set once the sinks have started.
    pub(crate) sinks: Arc<OnceLock<Vec<Arc<Status>>>>,
    client: Client,
    application_id: Arc<str>,
    version: &'static str,
    audits: Arc<[Audit]>,
    token: Option<Arc<str>>,
    expositions: Arc<Semaphore>,
}

impl HttpState {
    /// Returns the queries, too, that the task answers, because only the task has the rows.
    pub(crate) fn new(config: &Config, version: &'static str) -> (Self, Queries) {
        let (client, queries) = queries::channel();
        let state = Self {
            view: View::default(),
            freshness: Freshness::new(config.commit_interval),
            sinks: Arc::default(),
            client,
            application_id: config.application_id.as_str().into(),
            version,
            audits: config.audits.as_slice().into(),
            token: config.http.token().map(Arc::from),
            expositions: Arc::new(Semaphore::new(EXPOSITIONS)),
        };
        (state, queries)
    }
}

/// `/metrics` (the process's own, as Prometheus text) and `/healthz` (the process answers). `refresh` brings gauges up to date
/// that are true at the moment only.
pub(crate) fn own_router(prometheus: PrometheusHandle, refresh: impl Fn() + Clone + Send + Sync + 'static) -> Router {
    let metrics = move || async move {
        refresh();
        prometheus.run_upkeep();
        let text = prometheus.render() + &process::metrics();
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
    };
    let nowhere = || async { error(StatusCode::NOT_FOUND, "there is no such path; the page at / links all paths") };
    Router::new().route("/metrics", get(metrics)).route("/healthz", get(|| async { "ok\n" })).fallback(nowhere)
}

/// `/api/v1/status` and the page at `/`, as a process that has sinks only serves them.
pub(crate) fn status_router(state: HttpState) -> Router {
    let landing = Landing::of_sinks(&state.application_id, state.version, state.token.is_some());
    let router = Router::new().route("/api/v1/status", get(status));
    guarded(router, state).route("/", get(|| async { landing }))
}

/// `/readyz` (the totals were caught up once, and are not stale), `/metrics/totals`, `/api/v1` and the page at `/`.
pub(crate) fn totals_router(state: HttpState) -> Router {
    let (view, freshness) = (state.view.clone(), state.freshness.clone());
    let landing = Landing::of_aggregator(&state.application_id, state.version, state.token.is_some());
    let readyz = move || async move {
        if view.position().is_none() {
            return (StatusCode::SERVICE_UNAVAILABLE, "reading the log\n".to_owned());
        }
        match freshness.stale(Instant::now()) {
            None => (StatusCode::OK, "ready\n".to_owned()),
            Some(age) => {
                let why = format!("the totals are {} s old, and records wait\n", age.as_secs());
                (StatusCode::SERVICE_UNAVAILABLE, why)
            }
        }
    };
    let router = Router::new()
        .route("/metrics/totals", get(exposition))
        .route("/api/v1/totals", get(totals))
        .route("/api/v1/instances", get(instances))
        .route("/api/v1/explain", get(explain))
        .route("/api/v1/audit", get(audit))
        .route("/api/v1/status", get(status));
    guarded(router, state).route("/readyz", get(readyz)).route("/", get(|| async { landing }))
}

/// Lets requests with the token through, if there is a token.
fn guarded(router: Router<HttpState>, state: HttpState) -> Router {
    router.layer(from_fn_with_state(state.clone(), authorize)).with_state(state)
}

async fn authorize(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map_or("", |(_, token)| token.trim());
    match &state.token {
        Some(token) if !is_same(given, token) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            (challenge, error(StatusCode::UNAUTHORIZED, "the token is missing or wrong; send Authorization: Bearer …"))
                .into_response()
        }
        _ => next.run(request).await,
    }
}

/// Compares in a time that does not depend on how many bytes are right.
fn is_same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differences == 0
}

async fn totals(State(state): State<HttpState>, uri: Uri) -> Response {
    match TotalsQuery::read(&uri) {
        Ok(query) => blocking(move || json(query::totals(&state.view, query))).await,
        Err(error) => refused(&error),
    }
}

async fn instances(State(state): State<HttpState>, uri: Uri) -> Response {
    match InstancesQuery::read(&uri) {
        Ok(_) if state.view.position().is_none() => refused(&QueryError::NotReady),
        Ok(query) => json(state.client.instances(query).await),
        Err(error) => refused(&error),
    }
}

async fn explain(State(state): State<HttpState>, uri: Uri) -> Response {
    let query = match ExplainQuery::read(&uri) {
        Ok(_) if state.view.position().is_none() => return refused(&QueryError::NotReady),
        Ok(query) => query,
        Err(error) => return refused(&error),
    };
    let series = query.series.clone();
    json(match state.client.explain(query).await {
        Ok(Some(explanation)) => Ok(ExplainAnswer::new(&series, explanation)),
        Ok(None) => Err(explain::no_total(&state.view, &series)),
        Err(error) => Err(error),
    })
}

async fn audit(State(state): State<HttpState>, uri: Uri) -> Response {
    json(Parameters::read(&uri, &[]).and_then(|_| query::audit(&state.view, &state.audits)))
}

async fn status(State(state): State<HttpState>, uri: Uri) -> Response {
    let sinks = state.sinks.get().map_or(&[][..], Vec::as_slice);
    let status = |_| query::status(&state.application_id, state.version, &state.view, sinks);
    json(Parameters::read(&uri, &[]).map(status))
}

async fn exposition(State(state): State<HttpState>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let openmetrics = accept.contains("application/openmetrics-text");
    let Ok(permit) = Arc::clone(&state.expositions).try_acquire_owned() else {
        return refused(&QueryError::Busy);
    };
    blocking(move || {
        let mut exposition = Exposition::new(openmetrics);
        let mut from = Bound::Unbounded;
        loop {
            // The partition may be lost half-way. Prometheus would take the missing half for a reset, so the answer is an error.
            let Some(page) = state.view.page(from.as_ref().map(AsRef::as_ref), PAGE) else {
                return refused(&QueryError::NotReady);
            };
            for entry in page.entries.iter().filter(|entry| exposition::is_of_fleet(entry.series.name())) {
                exposition.push(entry);
            }
            match page.entries.into_iter().next_back() {
                Some(last) if page.more => from = Bound::Excluded(last.series),
                _ => break,
            }
        }
        let content_type = [(header::CONTENT_TYPE, exposition.content_type())];
        (content_type, Bytes::from_owner(Body { text: exposition.finish(), _permit: permit })).into_response()
    })
    .await
}

/// The text of all totals. Its permit is free again when the text was sent.
struct Body {
    text: String,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Runs what takes long for many totals on a thread where no other request waits for it.
async fn blocking(answer: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(answer)
        .await
        .unwrap_or_else(|_| error(StatusCode::INTERNAL_SERVER_ERROR, "a defect of the aggregator; see its log"))
}

fn json<T: Serialize>(answer: Result<T, QueryError>) -> Response {
    match answer.map(|answer| serde_json::to_vec(&answer)) {
        Ok(Ok(body)) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Ok(Err(why)) => error(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
        Err(why) => refused(&why),
    }
}

fn refused(why: &QueryError) -> Response {
    let status = match why {
        QueryError::BadRequest(_) => StatusCode::BAD_REQUEST,
        QueryError::NoTotal(_) => StatusCode::NOT_FOUND,
        QueryError::NotReady | QueryError::Busy => StatusCode::SERVICE_UNAVAILABLE,
    };
    error(status, &why.to_string())
}

fn error(status: StatusCode, why: &str) -> Response {
    let body = serde_json::json!({ "error": why }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use quipu_record::{Aggregate, Millis, Offset, Total};

    use super::*;

    /// A counter's total, by one live instance.
    pub(super) fn total(series: &str, count: i128) -> Aggregate {
        let series = series.parse().expect("a series");
        Aggregate { series, total: Total::Counter(count), timestamp: Millis(1), offset: Offset(0), instances: 1 }
    }

    #[tokio::test]
    async fn no_more_than_a_few_expositions_are_in_memory() {
        let (state, _questions) = HttpState::new(&Config::default(), "1.2.3");
        state.view.update(Offset(1), &[total("a", 1)], &[]);
        let ask = || exposition(State(state.clone()), HeaderMap::new());
        let mut answers = Vec::new();
        for _ in 0..EXPOSITIONS {
            answers.push(ask().await);
        }
        assert!(answers.iter().all(|answer| answer.status() == StatusCode::OK));
        assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE);
        // One of them was sent, or its client is gone.
        answers.pop();
        assert_eq!(ask().await.status(), StatusCode::OK);
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        assert!(is_same("abc", "abc"));
        for given in ["", "ab", "abd", "abcd"] {
            assert!(!is_same(given, "abc"), "{given}");
        }
    }
}
