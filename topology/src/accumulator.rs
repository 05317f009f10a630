/// The row that a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(usize);

impl RowId {
    /// All rows that expired.
    pub const RETIRED: Self = Self(usize::MAX);

    /// The row with this number.
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self(index)
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// What a total is made of: the values of rows are added and subtracted, and the total is read.
///
/// `sub` undoes the `add` of the same row and value exactly, so that a total does not depend on the order of changes.
/// Sums do not need to know the row; a minimum or a coverage of offsets does.
pub trait Accumulator: Clone {
    /// What one row contributes.
    type Value;
    /// What all rows together amount to.
    type Total: PartialEq;

    /// An accumulator without rows, for values of the same type as this one.
    fn new(value: &Self::Value) -> Self;
    /// Adds the value of a row.
    fn add(&mut self, row: RowId, value: &Self::Value);
    /// Subtracts a value that was added for the same row.
    fn sub(&mut self, row: RowId, value: &Self::Value);
    /// The total.
    fn read(&self) -> Self::Total;
}

/// What one row contributes to one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contribution {
    /// The row's value, and what was counted before its restarts.
    pub amount: Amount,
    /// Whether the row is live.
    pub live: bool,
}

/// The amount of a contribution, by type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// What was counted. It is signed so that any difference of 64-bit counts fits.
    Counter(i128),
}

/// What a series amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The amount of all rows together.
    pub amount: Amount,
    /// How many live rows contribute.
    pub live: i64,
}

/// The accumulator of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesSum {
    /// The sum of counters.
    Counter(CounterSum),
}

/// The accumulator for counters: their sum, and how many live rows contribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CounterSum {
    /// The sum.
    pub count: i128,
    /// How many live rows contribute.
    pub live: i64,
}

impl CounterSum {
    pub(crate) fn add(&mut self, count: i128, live: bool) {
        self.count += count;
        self.live += i64::from(live);
    }

    pub(crate) fn sub(&mut self, count: i128, live: bool) {
        self.count -= count;
        self.live -= i64::from(live);
    }
}

impl Accumulator for SeriesSum {
    type Value = Contribution;
    type Total = Total;

    fn new(value: &Contribution) -> Self {
        match value.amount {
            Amount::Counter(_) => Self::Counter(CounterSum::default()),
        }
    }

    fn add(&mut self, _: RowId, value: &Contribution) {
        match (self, value.amount) {
            (Self::Counter(sum), Amount::Counter(count)) => sum.add(count, value.live),
        }
    }

    fn sub(&mut self, _: RowId, value: &Contribution) {
        match (self, value.amount) {
            (Self::Counter(sum), Amount::Counter(count)) => sum.sub(count, value.live),
        }
    }

    fn read(&self) -> Total {
        match self {
            Self::Counter(CounterSum { count, live }) => Total { amount: Amount::Counter(*count), live: *live },
        }
    }
}
