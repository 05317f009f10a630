use std::collections::BTreeSet;

use quipu_record::{RetiredSum, Series, StateRetired};

use crate::accumulator::{Amount, Contribution};
use crate::reduce::GroupId;

/// The retired sum of each series: what its expired rows contributed.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    sums: Vec<Option<StateRetired>>,
    changed: BTreeSet<GroupId>,
    removed: Vec<Series>,
}

impl Retired {
    pub(crate) fn get(&self, id: GroupId) -> Option<StateRetired> {
        self.sums.get(id.index()).copied().flatten()
    }

    /// What the expired rows contribute to a series, if there were any.
    pub(crate) fn contribution(&self, id: GroupId) -> Option<Contribution> {
        let StateRetired { sum, .. } = self.get(id)?;
        let amount = match sum {
            RetiredSum::Counter(count) => Amount::Counter(count),
        };
        Some(Contribution { amount, live: false })
    }

    /// Adds what a row contributed that expires.
    pub(crate) fn add(&mut self, id: GroupId, row: &Contribution) {
        let rows = self.get(id).map_or(0, |retired| retired.rows) + 1;
        let sum = match (self.get(id).map(|retired| retired.sum), row.amount) {
            (None, Amount::Counter(count)) => RetiredSum::Counter(count),
            (Some(RetiredSum::Counter(sum)), Amount::Counter(count)) => RetiredSum::Counter(sum + count),
        };
        self.load(id, Some(StateRetired { sum, rows }));
        self.changed.insert(id);
    }

    /// Forgets the sum of a series.
    pub(crate) fn remove(&mut self, id: GroupId, series: &Series) {
        self.load(id, None);
        self.changed.remove(&id);
        self.removed.push(series.clone());
    }

    /// Takes over a sum as the changelog has it.
    pub(crate) fn load(&mut self, id: GroupId, retired: Option<StateRetired>) {
        if id.index() >= self.sums.len() {
            self.sums.resize(id.index() + 1, None);
        }
        self.sums[id.index()] = retired;
    }

    /// The series that have a sum.
    pub(crate) fn ids(&self) -> impl Iterator<Item = GroupId> + '_ {
        (0..).map(GroupId::new).zip(&self.sums).filter_map(|(id, sum)| sum.map(|_| id))
    }

    /// The series whose sum was removed since the last call. They may have one again.
    pub(crate) fn take_removed(&mut self) -> Vec<Series> {
        std::mem::take(&mut self.removed)
    }

    /// The series whose sum changed since the last call.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<GroupId> {
        std::mem::take(&mut self.changed)
    }

    /// Marks all as changed.
    pub(crate) fn touch(&mut self) {
        let all: Vec<GroupId> = self.ids().collect();
        self.changed.extend(all);
    }
}
