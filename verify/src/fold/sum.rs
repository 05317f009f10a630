use std::iter::Sum as Summed;
use std::ops::{AddAssign, SubAssign};

use crate::names::SeriesId;

/// The total of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) count: i128,
    /// How many rows contribute, including those that expired.
    pub(crate) rows: u64,
    /// How many of the rows of the table come from the changelog, because the log lacks records.
    pub(crate) from_changelog: u64,
    /// How many of the expired rows do.
    pub(crate) retired_from_changelog: u64,
}

/// The totals of all series.
#[derive(Debug, Default)]
pub(crate) struct Sums(Vec<Sum>);

impl Sums {
    pub(crate) fn get(&self, id: SeriesId) -> Sum {
        self.0.get(id).copied().unwrap_or_default()
    }

    /// The series that have rows.
    pub(crate) fn present(&self) -> impl Iterator<Item = (SeriesId, Sum)> {
        self.0.iter().copied().enumerate().filter(|(_, sum)| sum.rows > 0)
    }

    pub(super) fn of(&mut self, id: SeriesId) -> &mut Sum {
        if id >= self.0.len() {
            self.0.resize(id + 1, Sum::default());
        }
        &mut self.0[id]
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.rows += other.rows;
        self.from_changelog += other.from_changelog;
        self.retired_from_changelog += other.retired_from_changelog;
    }
}

impl SubAssign for Sum {
    fn sub_assign(&mut self, other: Self) {
        self.count -= other.count;
        self.rows -= other.rows;
        self.from_changelog -= other.from_changelog;
        self.retired_from_changelog -= other.retired_from_changelog;
    }
}

impl Summed for Sum {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), |mut total, sum| {
            total += sum;
            total
        })
    }
}
