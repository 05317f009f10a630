use std::collections::HashMap;

use uuid::Uuid;

use super::run::{Run, RunId, RunState};
use super::timeline::{EventKind, Timeline};

/// The runs and plain keys on `metrics`; all parts of a run are one entry.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    rows: HashMap<String, Run>,
    limit: usize,
    /// After this time without a report a run is silent, in ms.
    timeout: i64,
    next: u32,
}

/// When the first and the newest run of an instance started.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: i64,
    newest: i64,
}

impl Runs {
    pub(super) fn new(limit: usize, timeout: i64) -> Self {
        Self { rows: HashMap::new(), limit, timeout, next: 0 }
    }

    /// Returns the run of a row, which is created if it does not exist; `None` at the limit.
    pub(super) fn admit(&mut self, row: &str, instance: &str, run: Option<Uuid>, at: i64) -> Option<&mut Run> {
        if !self.rows.contains_key(row) {
            if self.rows.len() >= self.limit {
                return None;
            }
            self.rows.insert(row.to_owned(), Run::new(RunId(self.next), instance, run, at));
            self.next = self.next.wrapping_add(1);
        }
        self.rows.get_mut(row)
    }

    pub(super) fn get(&self, row: &str) -> Option<&Run> {
        self.rows.get(row)
    }

    pub(super) fn get_mut(&mut self, row: &str) -> Option<&mut Run> {
        self.rows.get_mut(row)
    }

    pub(super) fn remove(&mut self, row: &str) -> Option<Run> {
        self.rows.remove(row)
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.rows.values()
    }

    /// Updates the states of the runs and adds an event for each that joined, left, restarted or became silent. After a
    /// reconnection, runs get time to report before they become silent.
    pub(super) fn tick(&mut self, fleet_time: i64, reconnected: Option<i64>, timeline: &mut Timeline) {
        let spans = self.spans();
        let timeout = self.timeout;
        for run in self.rows.values_mut() {
            let span = spans[run.instance()];
            let state = run.state_at(fleet_time, timeout, reconnected, span.newest);
            if run.state == Some(state) {
                continue;
            }
            if run.state.is_none() {
                let kind = if run.started() > span.first { EventKind::Restarted } else { EventKind::Joined };
                timeline.push(run.started(), kind, run.instance());
            }
            match (run.state, state) {
                (_, RunState::Left) => timeline.push(run.last_report(), EventKind::Left, run.instance()),
                (_, RunState::Silent) => timeline.push(run.silent_at(timeout), EventKind::Silent, run.instance()),
                (Some(RunState::Silent), RunState::Live) => {
                    timeline.push(run.last_report(), EventKind::Resumed, run.instance());
                }
                // The event for a restart is added when the newer run appears.
                _ => {}
            }
            run.changed = Some(match state {
                RunState::Live if run.state.is_none() => run.started(),
                RunState::Live | RunState::Left => run.last_report(),
                RunState::Silent | RunState::Idle => run.silent_at(timeout),
                RunState::Restarted => span.newest,
            });
            run.state = Some(state);
        }
    }

    fn spans(&self) -> HashMap<String, Span> {
        let mut spans: HashMap<String, Span> = HashMap::new();
        for run in self.rows.values() {
            let start = run.started();
            match spans.get_mut(run.instance()) {
                Some(span) => *span = Span { first: span.first.min(start), newest: span.newest.max(start) },
                None => {
                    spans.insert(run.instance().to_owned(), Span { first: start, newest: start });
                }
            }
        }
        spans
    }
}
