use std::collections::VecDeque;

/// How many of the newest records are compared.
const RECORDS: usize = 31;
/// A smaller difference is taken for the time between writing and reading a record.
const TOLERANCE_MS: i64 = 2_000;

/// Estimates how far this machine's clock is ahead of the brokers' clock, from records that arrive when they are written.
///
/// The estimate is one of the shortest delays, because some records arrive late (many after an outage), and a few may have
/// a wrong timestamp.
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

    /// Returns the offset in ms: negative if this machine's clock is behind, 0 if the difference is small.
    pub(crate) fn offset(&self) -> i64 {
        self.offset
    }

    /// Converts a time of this machine to the brokers' time.
    pub(crate) fn fleet_time(&self, now: i64) -> i64 {
        now - self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_records_and_a_wrong_timestamp_do_not_change_the_offset_and_a_wrong_clock_does() {
        let mut clock = ClockOffset::default();
        for arrived in 0..31 {
            clock.observe(arrived, arrived - 100);
        }
        clock.observe(31, i64::MAX);
        assert_eq!(clock.offset(), 0);
        for late in (0..25).rev() {
            clock.observe(60_000, 60_000 - late * 1_000);
        }
        assert_eq!(clock.offset(), 0, "late records after an outage");
        for arrived in 0..31 {
            clock.observe(arrived, arrived + 600_000);
        }
        assert_eq!(clock.offset(), -600_000);
        assert_eq!(clock.fleet_time(1_000), 601_000);
    }
}
