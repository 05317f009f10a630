//! Checks which audits prove duplicates.

use std::collections::BTreeMap;

use super::Fleet;
use super::audit::Finding;
use super::run::{Run, RunState};
use super::series::ObservedSeries;
use super::timeline::EventKind;

/// How much later than others a report may arrive.
const LATENCY_MS: i64 = 250;

/// A program may pause for this time and report late; it still counts as sending.
const STALL_MS: i64 = 1_000;

/// The longest report interval that is used: a run with a longer one would hide the duplicates of all others.
const LONGEST_INTERVAL_MS: i64 = 60_000;

impl Fleet {
    /// Computes how exact the audits are, and adds an event to the timeline when an audit finds duplicates.
    pub(super) fn tick_audits(&mut self) {
        let interval = self.longest_interval();
        // The time of the newest aggregate is used instead of the clock: without new aggregates, nothing changes.
        let newest = self.pipeline.newest_aggregate().unwrap_or(0);
        let moments_ago = newest - 2 * interval - STALL_MS;
        let mut findings = BTreeMap::new();
        let mut found = Vec::new();
        for mut audit in self.audits() {
            // The rate of sending limits how much a late report can explain; consumers that read a backlog may be faster.
            // The time just before counts, too: a sender whose report is late continues to send.
            let rate = audit.sent.map_or(0.0, |sent| sent.history().highest_rate(moments_ago, newest));
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "this is an estimate")]
            let jitter = (rate * (interval + LATENCY_MS) as f64 / 1000.0).ceil() as i128;
            let lowest = audit.delta.and_then(|delta| delta.history().lowest_since(moments_ago)).unwrap_or(0);
            (audit.jitter, audit.lowest) = (jitter, lowest);
            let before = self.findings.get(audit.name).is_some_and(|finding| finding.has_duplicates);
            let has_duplicates = audit.duplicates() > 0 || (before && audit.delta_count() > Some(0));
            findings.insert(audit.name.to_owned(), Finding { jitter, lowest, has_duplicates });
            if let Some(delta) = audit.delta.and_then(ObservedSeries::total).filter(|_| has_duplicates && !before) {
                found.push((delta.timestamp, audit.name.to_owned()));
            }
        }
        self.findings = findings;
        for (at, name) in found {
            self.timeline.push(at, EventKind::Duplicates, &name);
        }
    }

    /// Returns the longest report interval of the live runs that count a series of the user.
    fn longest_interval(&self) -> i64 {
        let live = self.runs.iter().filter(|run| run.state() == RunState::Live);
        let users = live.filter(|run| run.counts().any(|(series, _)| !self.get(series).is_own()));
        users.map(Run::interval).max().unwrap_or(0).min(LONGEST_INTERVAL_MS)
    }
}
