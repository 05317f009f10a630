//! One partition of one run. A record at the next offset takes one atomic operation; everything else takes a lock that
//! no other partition shares.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quipu_record::{Offset, Ranges, Span};

use super::tracker::Tracker;

/// No offset comes next.
const NOWHERE: i64 = i64::MIN;

/// The state of a partition, shared by the application and the reporter's thread.
///
/// `done` and `delivered` are the offsets that come next if records are processed, or delivered, in order. What they have
/// advanced by is applied to the tracker when the lock is next taken.
#[derive(Debug)]
pub(crate) struct PartitionCell {
    done: Line,
    delivered: Line,
    /// Grows with each change under the lock.
    version: AtomicU64,
    has_warned: AtomicBool,
    inner: Mutex<Inner>,
}

/// An offset, aligned so that a thread that processes and a thread that delivers don't share a cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Line(AtomicI64);

#[derive(Debug)]
struct Inner {
    tracker: Tracker,
    /// How far `done` is applied to the tracker.
    done: i64,
    /// How far `delivered` is applied to the tracker.
    delivered: i64,
}

/// A moment of a partition; two that are equal have the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    done: i64,
    delivered: i64,
    version: u64,
}

impl PartitionCell {
    /// A partition whose value has at most this many ranges.
    pub(crate) fn new(ranges: usize) -> Self {
        Self {
            done: Line(AtomicI64::new(NOWHERE)),
            delivered: Line(AtomicI64::new(NOWHERE)),
            version: AtomicU64::new(0),
            has_warned: AtomicBool::new(false),
            inner: Mutex::new(Inner::new(ranges)),
        }
    }

    #[inline]
    pub(crate) fn record(&self, offset: i64) {
        if !self.done.step(offset) {
            self.record_apart(offset);
        }
    }

    #[inline]
    pub(crate) fn deliver(&self, offset: i64) {
        if !self.delivered.step(offset) {
            self.deliver_apart(offset);
        }
    }

    pub(crate) fn assign(&self, begin: Option<i64>) {
        let begin = begin.filter(|begin| is_offset(*begin));
        let mut inner = self.change();
        let next = Some(begin.unwrap_or(NOWHERE));
        self.move_to(&mut inner, next, next);
        inner.tracker.assigned(begin.map(Offset));
    }

    pub(crate) fn revoke(&self) {
        let mut inner = self.change();
        self.move_to(&mut inner, Some(NOWHERE), Some(NOWHERE));
        inner.tracker.revoked();
    }

    pub(crate) fn commit(&self, offset: i64) {
        if self.check(offset) {
            self.change().tracker.committed(Offset(offset));
        }
    }

    /// Records all offsets of a transaction and commits its offset in one step.
    pub(crate) fn apply(&self, spans: &[Span], committed: Option<i64>) {
        let mut inner = self.change();
        for span in spans {
            inner.tracker.recorded(*span);
        }
        if let Some(offset) = committed.filter(|offset| is_offset(*offset)) {
            inner.tracker.committed(Offset(offset));
        }
    }

    pub(crate) fn set_log_end(&self, offset: i64) {
        if self.check(offset) {
            self.change().tracker.log_ends(Offset(offset));
        }
    }

    pub(crate) fn set_unpublished(&self) {
        self.change().tracker.set_unpublished();
    }

    /// Forgets everything, in a forked child.
    pub(crate) fn restart(&self, ranges: usize) {
        let mut inner = self.change();
        self.move_to(&mut inner, Some(NOWHERE), Some(NOWHERE));
        *inner = Inner::new(ranges);
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            done: self.done.0.load(Ordering::Acquire),
            delivered: self.delivered.0.load(Ordering::Acquire),
            version: self.version.load(Ordering::Acquire),
        }
    }

    /// The value at one moment.
    pub(crate) fn value(&self, is_final: bool) -> (Mark, Ranges) {
        let mut inner = self.lock();
        self.catch_up(&mut inner);
        let mark = Mark { done: inner.done, delivered: inner.delivered, version: self.version.load(Ordering::Acquire) };
        (mark, inner.tracker.value(is_final))
    }

    #[cold]
    fn record_apart(&self, offset: i64) {
        if !self.check(offset) {
            return;
        }
        let mut inner = self.change();
        if inner.done <= offset {
            self.move_to(&mut inner, Some(offset + 1), None);
        }
        inner.tracker.recorded(Span::one(Offset(offset)));
    }

    #[cold]
    fn deliver_apart(&self, offset: i64) {
        if !self.check(offset) {
            return;
        }
        let mut inner = self.change();
        if inner.tracker.delivered(Span::one(Offset(offset))) {
            self.move_to(&mut inner, None, Some(offset + 1));
        }
    }

    fn check(&self, offset: i64) -> bool {
        let is_good = is_offset(offset);
        if !is_good && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(offset, "an offset that no record can have is ignored");
        }
        is_good
    }

    /// The state with everything so far applied, for a change of it.
    fn change(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        self.catch_up(&mut inner);
        self.version.fetch_add(1, Ordering::Release);
        inner
    }

    /// Applies what was delivered and processed in order. `done` is read first: what it has passed was delivered before,
    /// and then `delivered` has passed it, too.
    fn catch_up(&self, inner: &mut Inner) {
        let done = self.done.0.load(Ordering::Acquire);
        let delivered = self.delivered.0.load(Ordering::Acquire);
        inner.apply(done, delivered);
    }

    /// Continues from other offsets. Steps that were made until then are applied.
    fn move_to(&self, inner: &mut Inner, done: Option<i64>, delivered: Option<i64>) {
        let old_done =
            done.map_or_else(|| self.done.0.load(Ordering::Acquire), |done| self.done.0.swap(done, Ordering::AcqRel));
        let old_delivered = delivered.map_or_else(
            || self.delivered.0.load(Ordering::Acquire),
            |delivered| self.delivered.0.swap(delivered, Ordering::AcqRel),
        );
        inner.apply(old_done, old_delivered);
        inner.done = done.unwrap_or(old_done);
        inner.delivered = delivered.unwrap_or(old_delivered);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Advances by one if this is the next offset.
    fn step(&self, offset: i64) -> bool {
        is_offset(offset) && self.0.compare_exchange(offset, offset + 1, Ordering::Release, Ordering::Relaxed).is_ok()
    }
}

impl Inner {
    fn new(ranges: usize) -> Self {
        Self { tracker: Tracker::new(ranges), done: NOWHERE, delivered: NOWHERE }
    }

    /// Applies the steps up to these offsets.
    fn apply(&mut self, done: i64, delivered: i64) {
        let new = |from: i64, to: i64| Span::new(Offset(from), Offset(to));
        if delivered > self.delivered {
            self.tracker.delivered(new(self.delivered, delivered));
        }
        if done > self.done {
            self.tracker.recorded(new(self.done, done));
        }
        (self.done, self.delivered) = (done, delivered);
    }
}

/// Whether a record can have this offset.
fn is_offset(offset: i64) -> bool {
    (0..i64::MAX).contains(&offset)
}

#[cfg(test)]
mod tests;
