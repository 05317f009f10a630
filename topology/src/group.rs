/// What can be reduced: values that can be added and taken away again, in any order.
///
/// `sub` undoes `add` exactly; that is what makes a total independent of the way it was reached.
pub trait AbelianGroup: Clone {
    /// The value of nothing.
    fn zero() -> Self;
    /// Adds what a row contributes.
    fn add(&mut self, other: &Self);
    /// Takes away what a row contributed.
    fn sub(&mut self, other: &Self);
}

/// What one row contributes to one series: its count, and whether it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contribution {
    /// What was counted. Signed, so that any difference of 64-bit counts fits.
    pub count: i128,
    /// 1 while the run is alive, 0 after it left or fell silent.
    pub live: i64,
}

impl AbelianGroup for Contribution {
    fn zero() -> Self {
        Self::default()
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.live += other.live;
    }

    fn sub(&mut self, other: &Self) {
        self.count -= other.count;
        self.live -= other.live;
    }
}
