//! Which keys may have had records that the log has no more.

/// Finds out, record by record, whether something is missing from the log.
///
/// Compaction leaves of each key at most one record in the part that it cleaned, and removes only records that came
/// before that one. So a key's missing records are older than its first one that is still there; and from the first
/// offset on where some key appears a second time, nothing was cleaned. Offsets that are missing there are the marks of
/// transactions, as are aborted records.
#[derive(Debug, Default)]
pub(crate) struct History {
    next: i64,
    /// Records may be missing below the record that was seen last.
    gap: bool,
    /// No key's record can be missing from here on.
    pristine: bool,
}

impl History {
    /// The next record, and whether its key was seen before.
    pub(crate) fn see(&mut self, offset: i64, known: bool) {
        self.gap |= self.is_gap(offset - 1);
        self.pristine |= known;
        self.next = offset + 1;
    }

    /// Whether records may be missing that stood at or before `offset`, which is before the next record.
    pub(crate) fn may_lack(&self, offset: i64) -> bool {
        self.gap || self.is_gap(offset)
    }

    fn is_gap(&self, offset: i64) -> bool {
        !self.pristine && self.next <= offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(records: &[(i64, bool)], expected: bool) {
        let mut history = History::default();
        for (offset, known) in records {
            history.see(*offset, *known);
        }
        assert_eq!(history.may_lack(records.last().map_or(0, |(offset, _)| *offset)), expected);
    }

    #[test]
    fn a_log_without_gaps_lacks_nothing() {
        check(&[(0, false), (1, false), (2, true), (3, false)], false);
    }

    #[test]
    fn what_expired_or_was_compacted_may_have_been_anybodys() {
        check(&[(5, false)], true);
        check(&[(0, false), (2, false)], true);
        check(&[(0, false), (2, true)], true);
        check(&[], true);
    }

    #[test]
    fn behind_a_key_that_stands_twice_gaps_are_marks_of_transactions() {
        check(&[(0, false), (1, true), (3, false), (9, true)], false);
    }
}
