use quipu_record::{Millis, StateClock};

/// The longest gap between two records that counts in full, so that a long outage of Kafka expires no run.
const LONGEST_GAP: Millis = Millis(60_000);

/// The log time of a partition, and its horizon.
#[derive(Debug, Default)]
pub(crate) struct LogTime {
    clock: StateClock,
    changed: bool,
}

impl LogTime {
    /// The log time.
    pub(crate) fn now(&self) -> Millis {
        self.clock.log_time
    }

    /// Adds the gap between the newest record and the one that was appended at `time`.
    pub(crate) fn advance(&mut self, time: Millis) {
        let StateClock { log_time, appended_at, .. } = &mut self.clock;
        let gap = appended_at.map_or(Millis(0), |before| time.saturating_sub(before)).clamp(Millis(0), LONGEST_GAP);
        *log_time = log_time.saturating_add(gap);
        *appended_at = Some(time);
        self.changed = true;
    }

    /// Whether a run that began at this time may have been counted before, and its marker dropped.
    pub(crate) fn is_beyond_horizon(&self, began: Millis) -> bool {
        self.clock.horizon.is_some_and(|horizon| began <= horizon)
    }

    /// Raises the horizon to the time at which a run began whose marker is dropped.
    pub(crate) fn raise_horizon(&mut self, began: Millis) {
        self.clock.horizon = self.clock.horizon.max(Some(began));
        self.changed = true;
    }

    /// Takes over what the changelog has.
    pub(crate) fn load(&mut self, clock: StateClock) {
        *self = Self { clock, changed: false };
    }

    /// Begins anew with another source topic. The log time goes on, so that it never goes back.
    pub(crate) fn clear(&mut self) {
        self.clock = StateClock { log_time: self.clock.log_time, ..StateClock::default() };
        self.changed = true;
    }

    /// What is to be written to the changelog, if it changed since the last call.
    pub(crate) fn take_changed(&mut self) -> Option<StateClock> {
        std::mem::take(&mut self.changed).then_some(self.clock)
    }

    /// Marks it as changed.
    pub(crate) fn touch(&mut self) {
        self.changed = self.clock != StateClock::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_as_a_minute_at_most_and_never_back() {
        let mut time = LogTime::default();
        for (appended, expected) in [(1_000_000, 0), (1_030_000, 30_000), (9_000_000, 90_000), (8_000_000, 90_000)] {
            time.advance(Millis(appended));
            assert_eq!(time.now(), Millis(expected));
        }
    }
}
