//! Counts how often each record was processed, by its id. The audit is compared with these counts.

/// The result of counting the ids in the consumers' files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdCounts {
    /// How many records were processed; a record that was processed twice counts twice.
    pub(crate) processed: u64,
    /// How many of these were duplicates: the second, third, … time of a record.
    pub(crate) duplicates: u64,
    /// How many of the records sent were never processed.
    pub(crate) lost: u64,
    /// How many processed ids were never sent. The experiment has a fault if it is not 0.
    pub(crate) unknown: u64,
}

/// Collects processed ids. The records that were sent have the ids `0..sent`.
#[derive(Debug)]
pub(crate) struct ProcessedIds {
    sent: u64,
    /// A bit for each record that was sent; it is set when the record was processed.
    seen: Vec<u64>,
    processed: u64,
    distinct: u64,
    unknown: u64,
}

impl ProcessedIds {
    pub(crate) fn new(sent: u64) -> Self {
        let words = usize::try_from(sent.div_ceil(64)).unwrap_or(usize::MAX);
        Self { sent, seen: vec![0; words], processed: 0, distinct: 0, unknown: 0 }
    }

    pub(crate) fn add(&mut self, id: u64) {
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

    pub(crate) fn counts(&self) -> IdCounts {
        IdCounts {
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

    fn counts(sent: u64, ids: &[u64]) -> IdCounts {
        let mut processed = ProcessedIds::new(sent);
        for id in ids {
            processed.add(*id);
        }
        processed.counts()
    }

    /// Computes the same counts with a map that counts each id.
    fn oracle(sent: u64, ids: &[u64]) -> IdCounts {
        let mut times = BTreeMap::<u64, u64>::new();
        for id in ids {
            *times.entry(*id).or_default() += 1;
        }
        let was_sent = || times.iter().filter(|(id, _)| **id < sent);
        IdCounts {
            processed: ids.len() as u64,
            duplicates: was_sent().map(|(_, times)| times - 1).sum(),
            lost: (0..sent).filter(|id| !times.contains_key(id)).count() as u64,
            unknown: times.iter().filter(|(id, _)| **id >= sent).map(|(_, times)| times).sum(),
        }
    }

    #[test]
    fn every_record_once_is_neither_duplicate_nor_loss() {
        assert_eq!(counts(3, &[2, 0, 1]), IdCounts { processed: 3, duplicates: 0, lost: 0, unknown: 0 });
    }

    #[test]
    fn a_loss_does_not_hide_a_duplicate() {
        assert_eq!(counts(3, &[0, 1, 1]), IdCounts { processed: 3, duplicates: 1, lost: 1, unknown: 0 });
    }

    #[test]
    fn an_id_that_was_never_sent_is_no_duplicate() {
        assert_eq!(counts(65, &[65, 65, u64::MAX]), IdCounts { processed: 3, duplicates: 0, lost: 65, unknown: 3 });
    }

    proptest! {
        #[test]
        fn the_counts_are_those_of_a_map_of_ids(
            sent in 0..200_u64,
            ids in prop::collection::vec(0..220_u64, 0..400),
        ) {
            prop_assert_eq!(counts(sent, &ids), oracle(sent, &ids));
        }
    }
}
