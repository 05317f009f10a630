//! The aggregator's own metrics and health.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::shared::Shared;

/// `/metrics` (the process's own, as Prometheus text) and `/healthz` (the process answers).
pub(crate) fn own_router(prometheus: PrometheusHandle) -> Router {
    let metrics = move || async move {
        prometheus.run_upkeep();
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus.render())
    };
    Router::new().route("/metrics", get(metrics)).route("/healthz", get(|| async { "ok\n" }))
}

/// `/readyz` (the totals were caught up once).
pub(crate) fn ready_router(shared: Shared) -> Router {
    let readyz = move || async move {
        if shared.ready() {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "reading the log\n")
        }
    };
    Router::new().route("/readyz", get(readyz))
}
