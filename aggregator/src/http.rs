//! The aggregator's own metrics and health.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::shared::Shared;

/// `/metrics` (Prometheus text), `/healthz` (the process answers), `/readyz` (the totals were caught up once).
pub(crate) fn router(prometheus: PrometheusHandle, shared: Shared) -> Router {
    let metrics = move || async move {
        prometheus.run_upkeep();
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus.render())
    };
    let readyz = move || async move {
        if shared.ready() {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "reading the log\n")
        }
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
}
