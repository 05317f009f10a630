//! The truth that the audit is held against: which records were processed, and how often, by their ids.

/// What the ids say that the consumers wrote down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truth {
    /// How many records were processed, each as often as it was.
    pub(crate) processed: u64,
    /// How many of these were a record's second, third, … time.
    pub(crate) duplicates: u64,
    /// How many of the records sent were never processed.
    pub(crate) lost: u64,
    /// How many ids were written down that nobody sent. Anything but 0 is a fault of the experiment.
    pub(crate) unknown: u64,
}

/// Collects processed ids; the records sent are those with the ids `0..sent`.
#[derive(Debug)]
pub(crate) struct Ledger {
    sent: u64,
    /// A bit for each record sent: was it processed?
    seen: Vec<u64>,
    processed: u64,
    distinct: u64,
    unknown: u64,
}

impl Ledger {
    pub(crate) fn new(sent: u64) -> Self {
        let words = usize::try_from(sent.div_ceil(64)).unwrap_or(usize::MAX);
        Self { sent, seen: vec![0; words], processed: 0, distinct: 0, unknown: 0 }
    }

    pub(crate) fn processed(&mut self, id: u64) {
        self.processed += 1;
        let bit = 1 << (id % 64);
        match usize::try_from(id / 64).ok().and_then(|word| self.seen.get_mut(word)) {
            Some(word) if id < self.sent => {
                self.distinct += u64::from(*word & bit == 0);
                *word |= bit;
            }
            _ => self.unknown += 1,
        }
    }

    pub(crate) fn truth(&self) -> Truth {
        Truth {
            processed: self.processed,
            duplicates: self.processed - self.unknown - self.distinct,
            lost: self.sent - self.distinct,
            unknown: self.unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn truth(sent: u64, ids: &[u64]) -> Truth {
        let mut ledger = Ledger::new(sent);
        for id in ids {
            ledger.processed(*id);
        }
        ledger.truth()
    }

    /// The same by counting each id in a map.
    fn oracle(sent: u64, ids: &[u64]) -> Truth {
        let mut times = BTreeMap::<u64, u64>::new();
        for id in ids {
            *times.entry(*id).or_default() += 1;
        }
        let known = || times.iter().filter(|(id, _)| **id < sent);
        Truth {
            processed: ids.len() as u64,
            duplicates: known().map(|(_, times)| times - 1).sum(),
            lost: (0..sent).filter(|id| !times.contains_key(id)).count() as u64,
            unknown: times.iter().filter(|(id, _)| **id >= sent).map(|(_, times)| times).sum(),
        }
    }

    #[test]
    fn every_record_once_is_neither_duplicate_nor_loss() {
        assert_eq!(truth(3, &[2, 0, 1]), Truth { processed: 3, duplicates: 0, lost: 0, unknown: 0 });
    }

    #[test]
    fn a_loss_does_not_hide_a_duplicate() {
        assert_eq!(truth(3, &[0, 1, 1]), Truth { processed: 3, duplicates: 1, lost: 1, unknown: 0 });
    }

    #[test]
    fn an_id_that_nobody_sent_is_no_duplicate() {
        assert_eq!(truth(65, &[65, 65, u64::MAX]), Truth { processed: 3, duplicates: 0, lost: 65, unknown: 3 });
    }

    proptest! {
        #[test]
        fn it_is_what_counting_each_id_gives(
            sent in 0..200_u64,
            ids in prop::collection::vec(0..220_u64, 0..400),
        ) {
            prop_assert_eq!(truth(sent, &ids), oracle(sent, &ids));
        }
    }
}
