//! Finds out which keys may have had records that the log no longer has.

/// Decides, record by record, whether records may be missing from the log.
///
/// In the part that it cleaned, compaction keeps at most one record of each key, and removes only records before that
/// one. So a key's missing records are older than its first record in the log. And after the first offset at which a
/// key appears a second time, nothing was cleaned. Offsets that are missing after it belong to transaction markers and
/// aborted records.
#[derive(Debug, Default)]
pub(crate) struct History {
    next: i64,
    /// Whether records may be missing before the latest record.
    gap: bool,
    /// Whether no record can be missing from here on.
    pristine: bool,
}

impl History {
    /// Notes the next record, and whether its key was seen before.
    pub(crate) fn see(&mut self, offset: i64, repeated: bool) {
        self.gap |= self.is_gap(offset - 1);
        self.pristine |= repeated;
        self.next = offset + 1;
    }

    /// Whether records at or before `offset` may be missing; `offset` must be before the next record.
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
        for (offset, repeated) in records {
            history.see(*offset, *repeated);
        }
        assert_eq!(history.may_lack(records.last().map_or(0, |(offset, _)| *offset)), expected);
    }

    #[test]
    fn a_log_without_gaps_lacks_nothing() {
        check(&[(0, false), (1, false), (2, true), (3, false)], false);
    }

    #[test]
    fn expired_and_compacted_records_may_have_had_any_key() {
        check(&[(5, false)], true);
        check(&[(0, false), (2, false)], true);
        check(&[(0, false), (2, true)], true);
        check(&[], true);
    }

    #[test]
    fn after_a_repeated_key_gaps_are_transaction_markers() {
        check(&[(0, false), (1, true), (3, false), (9, true)], false);
    }
}
