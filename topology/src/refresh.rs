use crate::reduce::GroupId;

/// Remembers when each group was last said, so that an unchanged one is said again after the interval: a graph that is
/// drawn from the points then has no holes.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    interval_ms: i64,
    said_at: Vec<Option<i64>>,
    look_at: i64,
}

impl Refresh {
    pub(crate) fn new(interval_ms: i64) -> Self {
        Self { interval_ms, said_at: Vec::new(), look_at: i64::MAX }
    }

    /// Notes that the `changed` groups are said now, and gives those that are due although they did not change.
    pub(crate) fn due(&mut self, changed: &[GroupId], now: i64) -> Vec<GroupId> {
        for id in changed {
            if id.index() >= self.said_at.len() {
                self.said_at.resize(id.index() + 1, None);
            }
            self.said_at[id.index()] = Some(now);
            self.look_at = self.look_at.min(now.saturating_add(self.interval_ms));
        }
        if now < self.look_at {
            return Vec::new();
        }
        let mut due = Vec::new();
        self.look_at = i64::MAX;
        for (index, said_at) in self.said_at.iter_mut().enumerate() {
            let Some(last) = said_at else { continue };
            if now.saturating_sub(*last) >= self.interval_ms {
                *last = now;
                due.push(GroupId::new(index));
            }
            self.look_at = self.look_at.min(last.saturating_add(self.interval_ms));
        }
        due
    }

    /// Forgets a group that is no more.
    pub(crate) fn forget(&mut self, id: GroupId) {
        if let Some(said_at) = self.said_at.get_mut(id.index()) {
            *said_at = None;
        }
    }
}
