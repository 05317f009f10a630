use quipu_record::Record;

/// Whether the target still reports, so that its counts would come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// All of the target's runs have left or are silent.
    Gone,
    /// One of its keys had a recent record, and that was not a final report.
    Reporting {
        /// The key.
        key: String,
        /// The age of its latest record, in ms.
        ago_ms: i64,
        /// The age from which on the key counts as silent, in ms.
        silent_after_ms: i64,
    },
}

/// What the latest record of a key shows about the program behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LatestRecord {
    at: i64,
    left: bool,
    interval_ms: i64,
    /// The sequence number of a run's report; otherwise 0.
    seq: u64,
}

impl LatestRecord {
    /// The liveness of a key after a record at `at`. A bad record counts as a sign of life; a stale one does not.
    pub(super) fn after(before: Option<Self>, at: i64, record: Option<&Record<'_>>) -> Self {
        let alive = Self { at, left: false, interval_ms: 0, seq: before.map_or(0, |before| before.seq) };
        match record {
            Some(Record::Tombstone { .. }) => Self { left: true, seq: 0, ..alive },
            Some(Record::Report { report, .. }) => match before {
                Some(before) if report.seq < before.seq => before,
                _ => {
                    let interval_ms = i64::try_from(report.interval_ms).unwrap_or(i64::MAX);
                    Self { left: report.is_final, interval_ms, seq: report.seq, ..alive }
                }
            },
            Some(Record::Plain { .. } | Record::Forget(_)) | None => alive,
        }
    }

    /// Whether the program still reports at `now`.
    pub(super) fn liveness(self, key: &[u8], now: i64, timeout: i64) -> Liveness {
        let silent_after_ms = timeout.max(self.interval_ms.saturating_mul(3));
        let ago_ms = now.saturating_sub(self.at);
        if self.left || ago_ms >= silent_after_ms {
            return Liveness::Gone;
        }
        let key = String::from_utf8_lossy(key).into_owned();
        Liveness::Reporting { key, ago_ms, silent_after_ms }
    }
}
