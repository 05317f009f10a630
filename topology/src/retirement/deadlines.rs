use std::collections::BTreeSet;

use quipu_record::Millis;

/// An ordered queue of what is due when. To ask whether anything is due takes one comparison.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    queue: BTreeSet<(Millis, K)>,
    /// The earliest deadline.
    next: Millis,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { queue: BTreeSet::new(), next: Millis::MAX }
    }
}

impl<K: Ord> Deadlines<K> {
    /// Adds a deadline; [`Millis::MAX`] is never.
    pub(crate) fn add(&mut self, at: Millis, what: K) {
        if at < Millis::MAX {
            self.queue.insert((at, what));
            self.next = self.next.min(at);
        }
    }

    /// Removes a deadline that was added.
    pub(crate) fn remove(&mut self, at: Millis, what: K) {
        self.queue.remove(&(at, what));
        if at == self.next {
            self.set_next();
        }
    }

    /// Takes the earliest deadline, if it is not later than `now`.
    pub(crate) fn pop_due(&mut self, now: Millis) -> Option<K> {
        if self.next > now { None } else { self.pop() }
    }

    /// Takes the earliest deadline.
    pub(crate) fn pop(&mut self) -> Option<K> {
        let (_, what) = self.queue.pop_first()?;
        self.set_next();
        Some(what)
    }

    fn set_next(&mut self) {
        self.next = self.queue.first().map_or(Millis::MAX, |(at, _)| *at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order() {
        let mut deadlines = Deadlines::default();
        for at in [30, 10, 20] {
            deadlines.add(Millis(at), at);
        }
        deadlines.add(Millis::MAX, 0);
        assert_eq!(deadlines.pop_due(Millis(9)), None);
        deadlines.remove(Millis(10), 10);
        assert_eq!(deadlines.pop_due(Millis(19)), None);
        assert_eq!(deadlines.pop_due(Millis(30)), Some(20));
        assert_eq!(deadlines.pop_due(Millis(30)), Some(30));
        assert_eq!(deadlines.pop(), None);
    }
}
