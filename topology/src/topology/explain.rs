//! The parts of a total.

use quipu_record::Series;

use super::Topology;
use crate::explain::{Explained, Explanation, PartSum, Scan};

impl Topology {
    /// Finds what the total of a series is made of now, with the `limit` rows that contribute the most.
    ///
    /// A call scans `slots` slots of the table, each with a row or free, and must be repeated while it returns
    /// [`Explained::Scanning`]. Records may be processed between two calls. A call for another series ends the scan for this one.
    pub fn explain(&mut self, series: &Series, slots: usize, limit: usize) -> Explained {
        let before = self.sums.scan.take();
        let found = self.series.find(series.as_ref());
        let reduced = found.and_then(|id| Some((id, self.sums.reduce.get(id).filter(|reduced| reduced.members > 0)?)));
        let Some((id, reduced)) = reduced else { return Explained::NoTotal };
        let mut scan = before.filter(|scan| scan.id() == id).unwrap_or_else(|| Scan::new(id));
        if scan.advance(&self.table, slots) {
            self.sums.scan = Some(scan);
            return Explained::Scanning;
        }
        let (parts, omitted) = scan.finish(&self.table, limit);
        let (position, retired) = (self.position, PartSum::from(self.sums.retired.get(id)));
        Explained::Done(Explanation { position, total: reduced.total.amount, parts, omitted, retired })
    }
}
