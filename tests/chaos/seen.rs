//! The totals that a reader saw, in order.

use std::sync::{Mutex, MutexGuard};

use quipu_record::{Aggregate, Total};
use quipu_testkit::eventually;

#[derive(Default)]
pub(crate) struct Seen(Mutex<Vec<Aggregate>>);

impl Seen {
    pub(crate) fn push(&self, aggregate: Aggregate) {
        self.all().push(aggregate);
    }

    /// Waits until the latest total of each series is the one expected.
    pub(crate) fn until(&self, expected: impl IntoIterator<Item = (&'static str, i128)>) {
        for (series, total) in expected {
            eventually(&format!("{series} to be {total}"), || {
                let seen = self.all();
                let latest = seen.iter().rev().find(|aggregate| aggregate.series.to_string() == series)?;
                (latest.total == Total::Counter(total)).then_some(())
            });
        }
    }

    pub(crate) fn all(&self) -> MutexGuard<'_, Vec<Aggregate>> {
        self.0.lock().expect("no panic")
    }
}
