use crate::batch::Connection;
use crate::fleet::{Fleet, History, RunId, SeriesId};

/// If the aggregator's position does not change for this time although there are records to read, it has stopped.
const STUCK_MS: i64 = 10_000;
/// After this time without a change of its position, the aggregator is behind: a commit takes about a second.
pub(crate) const BEHIND_MS: i64 = 3_000;
/// The aggregator publishes unchanged aggregates each minute. If none comes for this time, it has stopped.
const SILENT_MS: i64 = 90_000;
/// If data is older than this, the dashboard shows no rate.
const STALE_MS: i64 = 15_000;

/// The data to show: a fleet and the time.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// The time by this machine's clock, in ms.
    pub now: i64,
    /// The time by the brokers' clock, in ms.
    pub fleet_now: i64,
    /// The time up to which reports are complete, in ms by the brokers' clock.
    reports_until: i64,
    /// The time up to which totals are complete, in ms by the brokers' clock.
    totals_until: i64,
    /// For how long the aggregator has published nothing although it should, in ms.
    pub stalled_for: Option<i64>,
    /// Whether the aggregator's position has not changed for some seconds although there are records to read.
    pub is_behind: bool,
}

impl<'a> Scope<'a> {
    pub(super) fn new(fleet: &'a Fleet, now: i64) -> Self {
        let pipeline = fleet.pipeline();
        let fleet_now = fleet.fleet_time(now);
        let reports_until = match pipeline.connection() {
            (Connection::Lost { .. }, since) => fleet.fleet_time(since),
            _ => fleet_now,
        };
        let unchanged_for = pipeline.aggregator_stuck_since().map(|since| now - since);
        let stuck_for = unchanged_for.filter(|time| *time > STUCK_MS);
        let newest = pipeline.newest_aggregate();
        let silent_for = newest.map(|newest| reports_until - newest).filter(|time| *time > SILENT_MS);
        let stalled_for = stuck_for.max(silent_for);
        let totals_until = stalled_for.and(newest).unwrap_or(reports_until).min(reports_until);
        let is_behind = unchanged_for.is_some_and(|time| time >= BEHIND_MS);
        Self { fleet, now, fleet_now, reports_until, totals_until, stalled_for, is_behind }
    }

    /// Returns the change of a total per second; `None` without data, such as after the aggregator has stopped.
    #[must_use]
    pub fn total_rate(&self, history: &History) -> Option<f64> {
        self.rate(history, self.totals_until)
    }

    /// Returns the change of a total per second in each of `parts` equal parts of the span that ends now.
    #[must_use]
    pub fn total_rates(&self, history: &History, span: i64, parts: usize) -> Vec<Option<f64>> {
        history.rates(self.fleet_now - span, self.fleet_now, parts, self.totals_until)
    }

    /// Returns the values of a total at the ends of `parts` equal parts of the span that ends now.
    #[must_use]
    pub fn total_values(&self, history: &History, span: i64, parts: usize) -> Vec<Option<f64>> {
        history.values(self.fleet_now - span, self.fleet_now, parts)
    }

    /// Returns the change of a run's count of a series per second.
    #[must_use]
    pub fn run_rate(&self, run: RunId, series: SeriesId) -> Option<f64> {
        self.rate(self.fleet.line(series, run)?, self.reports_until)
    }

    /// Returns the change of a run's count per second in each of `parts` equal parts of the span that ends now.
    #[must_use]
    pub fn run_rates(&self, history: &History, span: i64, parts: usize) -> Vec<Option<f64>> {
        history.rates(self.fleet_now - span, self.fleet_now, parts, self.reports_until)
    }

    fn rate(&self, history: &History, until: i64) -> Option<f64> {
        if self.fleet_now - until > STALE_MS { None } else { history.rate(until) }
    }
}
