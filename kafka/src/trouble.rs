use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often trouble that lasts is logged.
const REPEAT: Duration = Duration::from_secs(60);
/// How long nothing must fail before a partial failure is over. librdkafka reports an error that repeats every 30 s.
const QUIET: Duration = Duration::from_secs(35);

/// Decides when trouble is logged: when it begins, once a minute while it lasts, and when it ends.
///
/// A total failure ends with the first success. A partial one, such as one unreachable broker of three, lasts although
/// other work succeeds, so it ends with the first success after 35 s without a failure.
#[derive(Debug, Default)]
pub struct Trouble {
    lasting: Mutex<Option<Lasting>>,
    /// Whether there is any trouble: a success, which may be each record, then takes no lock.
    lasts: AtomicBool,
}

/// How much of what a client does has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Other work of the client may succeed.
    Partial,
    /// Nothing works.
    Total,
}

#[derive(Debug)]
struct Lasting {
    began: Instant,
    logged: Instant,
    failed: Instant,
    is_total: bool,
}

impl Trouble {
    /// Notes a failure. If it is to be logged, returns for how many seconds the trouble has lasted: 0 when it begins.
    pub fn failure(&self, now: Instant, scope: Scope) -> Option<u64> {
        let mut slot = self.lock();
        let Some(lasting) = slot.as_mut() else {
            *slot = Some(Lasting { began: now, logged: now, failed: now, is_total: scope == Scope::Total });
            self.lasts.store(true, Ordering::Relaxed);
            return Some(0);
        };
        lasting.failed = now;
        lasting.is_total |= scope == Scope::Total;
        if now.saturating_duration_since(lasting.logged) < REPEAT {
            return None;
        }
        lasting.logged = now;
        Some(now.saturating_duration_since(lasting.began).as_secs())
    }

    /// Notes a success. If it ends the trouble, returns for how many seconds that lasted.
    pub fn success(&self, now: Instant) -> Option<u64> {
        self.end_if(now, |lasting| lasting.is_total || now.saturating_duration_since(lasting.failed) >= QUIET)
    }

    /// Notes that something works again after a total failure, although it is not known whether everything does. If it
    /// ends the trouble, returns for how many seconds that lasted.
    pub fn end_of_total(&self, now: Instant) -> Option<u64> {
        self.end_if(now, |lasting| lasting.is_total)
    }

    /// Whether there was a failure that no success has ended.
    pub fn lasts(&self) -> bool {
        self.lasts.load(Ordering::Relaxed)
    }

    fn end_if(&self, now: Instant, is_over: impl FnOnce(&Lasting) -> bool) -> Option<u64> {
        if !self.lasts() {
            return None;
        }
        let lasting = self.lock().take_if(|lasting| is_over(lasting))?;
        self.lasts.store(false, Ordering::Relaxed);
        Some(now.saturating_duration_since(lasting.began).as_secs())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lasting>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails a hundred times a second from `from` to `to`; returns the lines as (second, for how long).
    fn lines(trouble: &Trouble, start: Instant, from: u64, to: u64, scope: Scope) -> Vec<(u64, u64)> {
        let moments = (from * 100..to * 100).map(|hundredth| Duration::from_millis(hundredth * 10));
        moments.filter_map(|moment| Some((moment.as_secs(), trouble.failure(start + moment, scope)?))).collect()
    }

    #[test]
    fn an_outage_is_a_line_when_it_begins_one_a_minute_and_one_when_it_ends() {
        let (trouble, start) = (Trouble::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(trouble.success(start), None, "nothing has failed");
        assert_eq!(lines(&trouble, start, 10, 140, Scope::Total), [(10, 0), (70, 60), (130, 120)]);
        assert_eq!(trouble.success(at(140)), Some(130));
        assert_eq!(trouble.success(at(141)), None);
        assert_eq!(lines(&trouble, start, 150, 160, Scope::Total), [(150, 0)]);
    }

    #[test]
    fn a_partial_failure_lasts_although_other_work_succeeds() {
        let (trouble, start) = (Trouble::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        let mut logged = Vec::new();
        for second in 0..200 {
            // As librdkafka reports one broker of three that is away for 100 s.
            if second <= 90 && second % 30 == 0 {
                logged.extend(trouble.failure(at(second), Scope::Partial).map(|seconds| ("lasts", second, seconds)));
            }
            logged.extend(trouble.success(at(second)).map(|seconds| ("ends", second, seconds)));
        }
        assert_eq!(logged, [("lasts", 0, 0), ("lasts", 60, 60), ("ends", 125, 125)]);
    }

    #[test]
    fn a_connection_ends_only_a_total_failure() {
        let (trouble, start) = (Trouble::default(), Instant::now());
        let hour = start + Duration::from_secs(3600);
        assert_eq!(trouble.failure(start, Scope::Partial), Some(0));
        assert_eq!(trouble.end_of_total(hour), None);
        assert_eq!(trouble.failure(hour, Scope::Total), Some(3600));
        assert_eq!(trouble.failure(hour, Scope::Partial), None, "a total failure stays one until it ends");
        assert_eq!(trouble.end_of_total(hour), Some(3600));
    }
}
