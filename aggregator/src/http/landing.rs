//! The page at `/`, which links everything that the process serves. It needs nothing from another host.

use std::fmt::Write as _;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

const PAGE: &str = include_str!("landing.html");
/// A browser loads nothing for the page but its own styles.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// A link: where it leads, what is there, and whether it requires the token, if there is one.
type Link = (&'static str, &'static str, bool);

const AGGREGATOR: [Link; 9] = [
    ("/readyz", "Readiness: 200 if all totals are available and none is stale, else 503 with the reason.", false),
    ("/healthz", "Liveness: 200 as long as the process answers.", false),
    ("/metrics", "The metrics of this process, for Prometheus.", false),
    ("/metrics/totals", "The totals of the fleet, for Prometheus.", true),
    ("/api/v1/totals", "The totals of the fleet. Parameters: match, limit, after.", true),
    ("/api/v1/instances", "Runs and plain keys. Parameters: limit, after.", true),
    ("/api/v1/explain", "What a total is made of. Parameters: series (required), limit.", true),
    ("/api/v1/audit", "What was sent, what was processed, and the delta.", true),
    ("/api/v1/status", "This process and its sinks.", true),
];
const SINKS: [Link; 3] = [
    ("/healthz", "Liveness: 200 as long as the process answers.", false),
    ("/metrics", "The metrics of this process, for Prometheus.", false),
    ("/api/v1/status", "This process and its sinks.", true),
];

/// A page, for any number of requests.
#[derive(Clone)]
pub(super) struct Landing(String);

impl Landing {
    /// The page of a process that aggregates.
    pub(super) fn of_aggregator(application_id: &str, version: &str, has_token: bool) -> Self {
        let process = "An aggregator of Quipu: the totals of a fleet.";
        Self::new(process, application_id, version, &AGGREGATOR, has_token)
    }

    /// The page of a process that has sinks only.
    pub(super) fn of_sinks(application_id: &str, version: &str, has_token: bool) -> Self {
        let process = "The sinks of an aggregator of Quipu: they copy the totals of a fleet to other systems.";
        Self::new(process, application_id, version, &SINKS, has_token)
    }

    fn new(process: &str, application_id: &str, version: &str, links: &[Link], has_token: bool) -> Self {
        let mut list = String::new();
        for (path, text, is_guarded) in links {
            let token = if *is_guarded && has_token { " Requires the token." } else { "" };
            // Writing to a string can't fail.
            let _ = writeln!(list, "<dt><a href=\"{path}\">{path}</a></dt>\n<dd>{text}{token}</dd>");
        }
        // An application ID consists of letters, digits, dots, underscores and hyphens.
        let page = PAGE.replace("{process}", process).replace("{application_id}", application_id);
        Self(page.replace("{version}", version).replace("{links}", &list))
    }
}

impl IntoResponse for Landing {
    fn into_response(self) -> Response {
        ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(self.0)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_process_and_needs_no_other_host() {
        for page in [Landing::of_aggregator("orders", "9.8", true), Landing::of_sinks("orders", "9.8", false)] {
            assert!(page.0.contains("<h1>orders</h1>") && page.0.contains("Version 9.8."), "{}", page.0);
            assert!(
                !page.0.contains("://") && !page.0.contains("<script") && !page.0.contains("{links}"),
                "{}",
                page.0
            );
        }
    }

    #[test]
    fn the_links_that_require_the_token_are_marked_if_there_is_one() {
        let marked = |has_token| Landing::of_aggregator("a", "1", has_token).0.matches("Requires the token.").count();
        assert_eq!((marked(true), marked(false)), (6, 0));
    }
}
