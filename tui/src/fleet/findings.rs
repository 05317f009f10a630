//! What the audits prove.

use std::collections::BTreeMap;

use super::Fleet;
use super::audit::Finding;
use super::run::{Run, RunState};
use super::series::ObservedSeries;
use super::timeline::EventKind;

/// How much later than others a report may come here.
const LATENCY_MS: i64 = 250;

/// A program that is held up so long reports late, but is not taken to have sent nothing meanwhile.
const STALL_MS: i64 = 1_000;

/// A run that claims a longer interval would hide the duplicates of all others.
const LONGEST_INTERVAL_MS: i64 = 60_000;

impl Fleet {
    /// Finds out how exact the audits are, and writes into the timeline when one finds duplicates.
    pub(super) fn tick_audits(&mut self) {
        let interval = self.longest_interval();
        // As long as nothing new comes, things stand as they did when the newest aggregate was published.
        let newest = self.pipeline.newest_aggregate().unwrap_or(0);
        let moments_ago = newest - 2 * interval - STALL_MS;
        let mut findings = BTreeMap::new();
        let mut found = Vec::new();
        for mut audit in self.audits() {
            // Consumers that work off a backlog are faster than that, which no late report explains. What was sent just
            // before counts, too: a sender that is held up goes on sending.
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

    /// The longest interval in which a live run reports that counts something of the user's.
    fn longest_interval(&self) -> i64 {
        let live = self.runs.iter().filter(|run| run.state() == RunState::Live);
        let users = live.filter(|run| run.counts().any(|(series, _)| !self.get(series).is_own()));
        users.map(Run::interval).max().unwrap_or(0).min(LONGEST_INTERVAL_MS)
    }
}
