use quipu_record::Millis;

use crate::reduce::GroupId;

/// Remembers when each group was last published, so that an unchanged one is published again after the interval: a
/// graph that is drawn from the points then has no holes.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    interval: Millis,
    published_at: Vec<Option<Millis>>,
    /// When the next group can be due.
    next: Millis,
}

impl Refresh {
    pub(crate) fn new(interval: Millis) -> Self {
        Self { interval, published_at: Vec::new(), next: Millis::MAX }
    }

    /// Notes that the `changed` groups are published now, and returns those that are due although they did not change.
    pub(crate) fn due(&mut self, changed: &[GroupId], now: Millis) -> Vec<GroupId> {
        for id in changed {
            if id.index() >= self.published_at.len() {
                self.published_at.resize(id.index() + 1, None);
            }
            self.published_at[id.index()] = Some(now);
            self.next = self.next.min(now.saturating_add(self.interval));
        }
        if now < self.next {
            return Vec::new();
        }
        let mut due = Vec::new();
        self.next = Millis::MAX;
        for (index, published_at) in self.published_at.iter_mut().enumerate() {
            let Some(last) = published_at else { continue };
            if now.saturating_sub(*last) >= self.interval {
                *last = now;
                due.push(GroupId::new(index));
            }
            self.next = self.next.min(last.saturating_add(self.interval));
        }
        due
    }

    /// Forgets a removed group.
    pub(crate) fn forget(&mut self, id: GroupId) {
        if let Some(published_at) = self.published_at.get_mut(id.index()) {
            *published_at = None;
        }
    }
}
