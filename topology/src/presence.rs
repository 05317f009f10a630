use quipu_record::{Key, RunKey};

/// How many runs report, and how many came and went since this was last asked.
///
/// A run counts by its part 0, which has a heartbeat. A plain counter has none: nobody can tell its silence from idleness.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    live: usize,
    events: Events,
}

/// How many runs came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// They reported for the first time, or again after a silence.
    pub joined: usize,
    /// They said their final report, or their row was removed.
    pub left: usize,
    /// No report came for the instance timeout.
    pub silent: usize,
}

/// Why a row is no longer live.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gone {
    Left,
    Silent,
    /// It fell silent while no process looked, or one that told it: an old story told at each start.
    Unnoticed,
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

    /// The row of `key` is live no longer.
    pub(crate) fn gone(&mut self, key: &[u8], why: Gone) {
        if is_run(key) {
            self.live = self.live.saturating_sub(1);
            match why {
                Gone::Left => self.events.left += 1,
                Gone::Silent => self.events.silent += 1,
                Gone::Unnoticed => {}
            }
        }
    }

    pub(crate) fn take_events(&mut self) -> Events {
        std::mem::take(&mut self.events)
    }
}

fn is_run(key: &[u8]) -> bool {
    matches!(Key::decode(Some(key)), Ok(Key::Run(RunKey { part: 0, .. })))
}
