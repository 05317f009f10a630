//! The result of the experiment, as text and as JSON, and the check whether it is right.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::format::grouped;
use crate::watch::id_counts::IdCounts;
use crate::watch::snapshot::Snapshot;

/// The result of a complete experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    /// How many records the producer had to send.
    pub(crate) records: u64,
    /// The last snapshot of the observer.
    pub(crate) seen: Snapshot,
    /// The counts by record id.
    pub(crate) ids: IdCounts,
    /// How long the experiment took.
    pub(crate) took: Duration,
}

/// The object that `--output json` prints.
#[derive(Debug, Serialize)]
struct Json {
    sent: u64,
    processed: u64,
    duplicates: i128,
    duplicates_by_record_id: u64,
    lost_by_record_id: u64,
    aggregate_records_processed: i128,
    seconds: f64,
}

impl Summary {
    /// Returns the result as one line of JSON.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Json {
            sent: self.seen.sent,
            processed: self.processed(),
            duplicates: self.seen.delta,
            duplicates_by_record_id: self.ids.duplicates,
            lost_by_record_id: self.ids.lost,
            aggregate_records_processed: self.seen.aggregate_processed,
            seconds: (self.took.as_secs_f64() * 1000.0).round() / 1000.0,
        })
    }

    /// Returns the result as several lines of text.
    pub(crate) fn text(&self) -> String {
        let Snapshot { processed: [by_1, by_2], delta, aggregate_processed, .. } = self.seen;
        let mut text = String::new();
        let mut row = |label: &str, number: i128, note: &str| {
            let _ = writeln!(text, "{}", format!("  {label:<26}{:>14}   {note}", grouped(number)).trim_end());
        };
        row("sent", self.seen.sent.into(), "acknowledged by the broker");
        row("processed", aggregate_processed, "the aggregate on metrics-agg");
        row("  by app-1", by_1.into(), "");
        row("  by app-2", by_2.into(), "");
        row("duplicates by the audit", delta, "processed - sent, from the counters alone");
        row("duplicates by record id", self.ids.duplicates.into(), "from the ids in the consumers' files");
        row("lost by record id", self.ids.lost.into(), "");
        let seconds = self.took.as_secs_f64();
        let _ = writeln!(text, "  {:<26}{seconds:>14.1}\n", "seconds");
        match self.faults().as_slice() {
            [] => {
                let twice = match delta {
                    0 => "no record was".to_owned(),
                    1 => "1 record was".to_owned(),
                    _ => format!("{} records were", grouped(delta)),
                };
                let _ = write!(text, "  ✔ both agree: {twice} processed twice");
            }
            faults => {
                let lines: Vec<String> = faults.iter().map(|fault| format!("  ✘ {fault}")).collect();
                text.push_str(&lines.join("\n"));
            }
        }
        text
    }

    /// Returns all faults of the result; none if the experiment succeeded.
    pub(crate) fn faults(&self) -> Vec<String> {
        let Self { records, seen, ids, .. } = self;
        let mut faults = Vec::new();
        let mut check = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        let same = |left: i128, right: u64| left == i128::from(right);
        check(
            same(seen.delta, ids.duplicates),
            format!("the audit shows {} duplicates, the record ids {}", grouped(seen.delta), grouped(ids.duplicates)),
        );
        check(
            same(seen.aggregate_processed, ids.processed),
            format!(
                "the aggregate shows {} processed records, the record ids {}",
                grouped(seen.aggregate_processed),
                grouped(ids.processed)
            ),
        );
        check(seen.sent == *records, format!("{} records were sent, not {}", grouped(seen.sent), grouped(*records)));
        check(
            seen.is_settled(),
            format!(
                "the totals are not the sums of the final reports: the consumers processed {} and {}, the aggregate is \
                 {}; the producer sent {}, the aggregate is {}",
                grouped(seen.processed[0]),
                grouped(seen.processed[1]),
                grouped(seen.aggregate_processed),
                grouped(seen.sent),
                grouped(seen.aggregate_sent)
            ),
        );
        check(ids.lost == 0, format!("{} records were never processed", grouped(ids.lost)));
        check(ids.unknown == 0, format!("{} processed ids were never sent", grouped(ids.unknown)));
        faults
    }

    fn processed(&self) -> u64 {
        self.seen.processed.iter().sum()
    }
}

/// Returns the counts of an interrupted experiment as text.
pub(crate) fn partial(seen: &Snapshot, took: Duration) -> String {
    let Snapshot { sent, processed: [by_1, by_2], aggregate_processed, delta, .. } = *seen;
    format!(
        "\n  interrupted after {:.1} s; these counts are partial and were not checked:\n  sent {}, processed {} (app-1 {}, \
         app-2 {}), delta {}",
        took.as_secs_f64(),
        grouped(sent),
        grouped(aggregate_processed),
        grouped(by_1),
        grouped(by_2),
        grouped(delta)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Summary = Summary {
        records: 1_000_000,
        seen: Snapshot {
            sent: 1_000_000,
            processed: [868_750, 162_500],
            finished: [true; 3],
            aggregate_sent: 1_000_000,
            aggregate_processed: 1_031_250,
            delta: 31_250,
        },
        ids: IdCounts { processed: 1_031_250, duplicates: 31_250, lost: 0, unknown: 0 },
        took: Duration::from_micros(46_300_400),
    };

    #[test]
    fn the_json_has_these_fields_and_no_others() {
        assert_eq!(
            GOOD.json().unwrap(),
            r#"{"sent":1000000,"processed":1031250,"duplicates":31250,"duplicates_by_record_id":31250,"lost_by_record_id":0,"aggregate_records_processed":1031250,"seconds":46.3}"#
        );
    }

    #[test]
    fn the_text_has_both_numbers_of_duplicates_and_a_check_mark() {
        assert_eq!(
            GOOD.text(),
            "  sent                           1,000,000   acknowledged by the broker
  processed                      1,031,250   the aggregate on metrics-agg
    by app-1                       868,750
    by app-2                       162,500
  duplicates by the audit           31,250   processed - sent, from the counters alone
  duplicates by record id           31,250   from the ids in the consumers' files
  lost by record id                      0
  seconds                             46.3

  ✔ both agree: 31,250 records were processed twice"
        );
    }

    #[test]
    fn every_difference_is_a_fault() {
        assert_eq!(GOOD.faults(), Vec::<String>::new());
        let (seen, ids) = (GOOD.seen, GOOD.ids);
        for bad in [
            Summary { seen: Snapshot { delta: 31_249, ..seen }, ..GOOD },
            Summary { seen: Snapshot { aggregate_processed: 1_031_251, ..seen }, ..GOOD },
            Summary { seen: Snapshot { aggregate_sent: 999_999, ..seen }, ..GOOD },
            Summary { seen: Snapshot { processed: [868_750, 162_501], ..seen }, ..GOOD },
            Summary { seen: Snapshot { finished: [true, false, true], ..seen }, ..GOOD },
            Summary { records: 1_000_001, ..GOOD },
            Summary { ids: IdCounts { duplicates: 31_251, ..ids }, ..GOOD },
            Summary { ids: IdCounts { processed: 1_031_249, ..ids }, ..GOOD },
            Summary { ids: IdCounts { lost: 1, ..ids }, ..GOOD },
            Summary { ids: IdCounts { unknown: 1, ..ids }, ..GOOD },
        ] {
            assert!(!bad.faults().is_empty(), "{bad:?}");
            assert!(bad.text().contains("✘") && !bad.text().contains("✔"), "{}", bad.text());
        }
    }
}
