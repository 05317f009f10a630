use std::collections::VecDeque;

/// So many of the newest records are compared.
const RECORDS: usize = 31;
/// A smaller difference is the time that a record takes to come here.
const TOLERANCE_MS: i64 = 2_000;

/// How far this machine's clock is ahead of the brokers', told from records that arrive as they are written.
///
/// One of the shortest ways is taken: some records come late, after an outage many, and a few may have a wild timestamp.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClockOffset {
    delays: VecDeque<i64>,
    offset: i64,
}

impl ClockOffset {
    pub(crate) fn observe(&mut self, arrived: i64, timestamp: i64) {
        if self.delays.len() == RECORDS {
            self.delays.pop_front();
        }
        self.delays.push_back(arrived.saturating_sub(timestamp));
        let mut sorted: Vec<i64> = self.delays.iter().copied().collect();
        sorted.sort_unstable();
        let short = sorted[sorted.len() / 10];
        self.offset = if short.abs() < TOLERANCE_MS { 0 } else { short };
    }

    /// In ms; negative if this machine's clock is behind, 0 if the difference does not matter.
    pub(crate) fn offset(&self) -> i64 {
        self.offset
    }

    /// The brokers' time at a time of this machine.
    pub(crate) fn fleet_time(&self, now: i64) -> i64 {
        now - self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_records_and_a_wild_timestamp_do_not_move_it_and_a_wrong_clock_does() {
        let mut clock = ClockOffset::default();
        for arrived in 0..31 {
            clock.observe(arrived, arrived - 100);
        }
        clock.observe(31, i64::MAX);
        assert_eq!(clock.offset(), 0);
        for late in (0..25).rev() {
            clock.observe(60_000, 60_000 - late * 1_000);
        }
        assert_eq!(clock.offset(), 0, "an outage is over");
        for arrived in 0..31 {
            clock.observe(arrived, arrived + 600_000);
        }
        assert_eq!(clock.offset(), -600_000);
        assert_eq!(clock.fleet_time(1_000), 601_000);
    }
}
