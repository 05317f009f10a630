/// Lets a few log lines through in each period and counts the rest.
#[derive(Debug, Clone)]
pub(crate) struct RateLimit {
    per_period: u64,
    period_ms: i64,
    began: i64,
    let_through: u64,
    held_back: u64,
}

impl RateLimit {
    pub(crate) fn new(per_period: u64, period_ms: i64) -> Self {
        Self { per_period, period_ms, began: i64::MIN, let_through: 0, held_back: 0 }
    }

    /// Whether a line may be written now; if so, how many were held back since the last one.
    pub(crate) fn ask(&mut self, now: i64) -> Option<u64> {
        if now.saturating_sub(self.began) >= self.period_ms {
            self.began = now;
            self.let_through = 0;
        }
        if self.let_through < self.per_period {
            self.let_through += 1;
            return Some(std::mem::take(&mut self.held_back));
        }
        self.held_back += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_counted_and_reported_with_the_next_line() {
        let mut limit = RateLimit::new(2, 1000);
        let answers: Vec<_> = [0, 1, 2, 999, 1000, 1001].map(|now| limit.ask(now)).into();
        assert_eq!(answers, [Some(0), Some(0), None, None, Some(2), Some(0)]);
    }
}
