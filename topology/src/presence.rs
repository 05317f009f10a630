use quipu_record::{Key, RunKey};

/// How many runs are live, and how many joined, left or fell silent since the last [`Self::take_events`].
///
/// A run is counted by its part 0, which has a heartbeat. A plain counter has no heartbeat, so it is never silent.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    live: usize,
    events: Events,
}

/// How many runs joined, left and fell silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// The runs that reported for the first time, or again after they were silent.
    pub joined: usize,
    /// The runs whose report was final, or whose row was removed.
    pub left: usize,
    /// The runs without a report for the instance timeout.
    pub silent: usize,
    /// The runs that expired: their rows were retired.
    pub expired: usize,
}

/// Why a row is no longer live.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Departure {
    /// Its report was final, or it was removed.
    Left,
    /// It fell silent.
    Silent,
    /// It fell silent before this process first published. An earlier process may have counted it, so it is no event.
    BeforeStart,
}

impl Presence {
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// The row of `key` became live.
    pub(crate) fn joined(&mut self, key: &[u8]) {
        if is_run(key) {
            self.live += 1;
            self.events.joined += 1;
        }
    }

    /// The row of `key` is no longer live.
    pub(crate) fn departed(&mut self, key: &[u8], why: Departure) {
        if is_run(key) {
            self.live = self.live.saturating_sub(1);
            match why {
                Departure::Left => self.events.left += 1,
                Departure::Silent => self.events.silent += 1,
                Departure::BeforeStart => {}
            }
        }
    }

    /// The row of `key` was retired.
    pub(crate) fn expired(&mut self, key: &[u8]) {
        if is_run(key) {
            self.events.expired += 1;
        }
    }

    /// The row of `key` was restored, which is not an event.
    pub(crate) fn loaded(&mut self, key: &[u8], was_live: bool, is_live: bool) {
        if was_live != is_live && is_run(key) {
            self.live = if is_live { self.live + 1 } else { self.live.saturating_sub(1) };
        }
    }

    pub(crate) fn take_events(&mut self) -> Events {
        std::mem::take(&mut self.events)
    }
}

fn is_run(key: &[u8]) -> bool {
    matches!(Key::decode(Some(key)), Ok(Key::Run(RunKey { part: 0, .. })))
}
