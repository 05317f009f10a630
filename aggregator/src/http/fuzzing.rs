//! The routes for the fuzz targets (`fuzz/`), without a server.

use std::ops::Bound;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::handler::Handler as _;
use axum::response::Response;
use quipu_config::Config;
use quipu_record::{Aggregate, Offset};
use tokio::runtime::{Builder, Runtime};

use super::{Exposition, HttpState, View, instances, totals};

/// The body of `/metrics/totals`.
#[must_use]
pub fn exposition(totals: &[Aggregate], openmetrics: bool) -> String {
    let view = View::default();
    view.update(Offset(1), totals, &[]);
    let mut exposition = Exposition::new(openmetrics);
    for entry in view.page(Bound::Unbounded, usize::MAX).iter().flat_map(|page| &page.entries) {
        exposition.push(entry);
    }
    exposition.finish()
}

/// The query API with these totals and without a task, so that queries of instances are refused as too many.
pub struct Api {
    state: HttpState,
    runtime: Runtime,
}

impl Api {
    /// An API that has the totals.
    ///
    /// # Panics
    /// The runtime can't start.
    #[must_use]
    pub fn new(all: &[Aggregate]) -> Self {
        let (state, _) = HttpState::new(&Config::default(), "0.0.0");
        state.view.update(Offset(1), all, &[]);
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { state, runtime }
    }

    /// The status and the body of the answer to `/api/v1/totals` with this query. Nothing if it can't be part of a URI.
    ///
    /// # Panics
    /// The body has no end, or is not text.
    #[must_use]
    pub fn totals(&self, query: &str) -> Option<(u16, String)> {
        let request = Request::builder().uri(format!("/api/v1/totals?{query}")).body(Body::empty()).ok()?;
        Some(self.answer(totals.call(request, self.state.clone())))
    }

    /// The same for `/api/v1/instances`.
    ///
    /// # Panics
    /// As [`Self::totals`].
    #[must_use]
    pub fn instances(&self, query: &str) -> Option<(u16, String)> {
        let request = Request::builder().uri(format!("/api/v1/instances?{query}")).body(Body::empty()).ok()?;
        Some(self.answer(instances.call(request, self.state.clone())))
    }

    fn answer(&self, response: impl Future<Output = Response>) -> (u16, String) {
        self.runtime.block_on(async {
            let response = response.await;
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory");
            (status, String::from_utf8(body.into()).expect("text"))
        })
    }
}
