//! Random numbers and pauses of a random length.

use std::time::Duration;

/// A generator that returns the same numbers for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, less than `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[expect(clippy::disallowed_methods, reason = "a fault comes at a random moment")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
