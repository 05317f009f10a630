//! The progress of the experiment as text.

use std::fmt::Write as _;
use std::time::Duration;

use crate::format::{clock, grouped};
use crate::watch::snapshot::Snapshot;

const BAR: usize = 40;
const PLAIN: &str = "\x1b[0m";
const GREY: &str = "\x1b[90m";
const BLUE: &str = "\x1b[34m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";

/// The progress at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Time from the start.
    pub(crate) at: Duration,
    pub(crate) seen: Snapshot,
    /// How many records the producer will send.
    pub(crate) records: u64,
    /// Records sent per second.
    pub(crate) rate: f64,
    /// How far apart in time the reports of two instances may be.
    pub(crate) skew: Duration,
}

/// Writes a time for the beginning of a line.
pub(super) fn time(at: Duration) -> String {
    format!("{:>6}", clock(at))
}

impl View {
    /// Returns the progress as one line, for a log.
    pub(super) fn line(&self) -> String {
        let Snapshot { sent, processed: [by_1, by_2], aggregate_processed, .. } = self.seen;
        format!(
            "{}  sent {}  app-1 {}  app-2 {}  aggregate {}  delta {}  {:.0}/s",
            time(self.at),
            grouped(sent),
            grouped(by_1),
            grouped(by_2),
            grouped(aggregate_processed),
            self.delta(),
            self.rate
        )
    }

    /// Returns the progress as several lines with bars, for a terminal.
    pub(super) fn panel(&self, in_colour: bool) -> String {
        let paint = |code: &'static str| if in_colour { code } else { "" };
        let Snapshot { sent, processed: [by_1, by_2], aggregate_processed, delta, .. } = self.seen;
        let rows = [
            ("sent", i128::from(sent), GREY),
            ("app-1", i128::from(by_1), BLUE),
            ("app-2", i128::from(by_2), YELLOW),
            ("aggregate", aggregate_processed, GREEN),
        ];
        let full = rows.iter().map(|row| row.1).fold(i128::from(self.records), i128::max);
        let mut panel = String::from("\n");
        for (label, count, colour) in rows {
            let (bar, colour, end) = (bar(count, full), paint(colour), paint(PLAIN));
            let _ = writeln!(panel, "  {label:<10}{:>14}  {colour}{bar}{end}", grouped(count));
        }
        let (colour, note) = match delta {
            delta if as_f64(delta.abs()) <= self.rate * self.skew.as_secs_f64() => (GREY, "in step"),
            1.. => (RED, "more was processed than sent: duplicates"),
            _ => (GREY, "sent, but not yet processed"),
        };
        let (colour, end) = (paint(colour), paint(PLAIN));
        let _ = writeln!(panel, "  {:<10}{colour}{:>14}  {note}{end}", "delta", self.delta());
        let _ = writeln!(panel, "  {:<10}{:>14}  records/s sent", clock(self.at), grouped(self.whole_rate()));
        panel
    }

    fn delta(&self) -> String {
        let sign = if self.seen.delta > 0 { "+" } else { "" };
        format!("{sign}{}", grouped(self.seen.delta))
    }

    #[expect(clippy::cast_possible_truncation, reason = "no rate is beyond 2^63")]
    fn whole_rate(&self) -> i64 {
        self.rate.round() as i64
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is compared with a rate")]
fn as_f64(count: i128) -> f64 {
    count as f64
}

/// Draws a bar in eighths of a character.
fn bar(count: i128, full: i128) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = usize::try_from(count.max(0) * (BAR as i128) * 8 / full.max(1)).unwrap_or(0).min(BAR * 8);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: View = View {
        at: Duration::from_secs(65),
        seen: Snapshot {
            sent: 800_000,
            processed: [637_500, 200_000],
            finished: [false; 3],
            aggregate_sent: 800_000,
            aggregate_processed: 837_500,
            delta: 37_500,
        },
        records: 1_000_000,
        rate: 25_003.4,
        skew: Duration::from_millis(500),
    };

    #[test]
    fn a_line_names_every_number() {
        assert_eq!(
            VIEW.line(),
            "  1:05  sent 800,000  app-1 637,500  app-2 200,000  aggregate 837,500  delta +37,500  25003/s"
        );
    }

    #[test]
    fn bars_are_proportional_to_counts() {
        assert_eq!(bar(0, 100), "");
        assert_eq!(bar(50, 100), "█".repeat(20));
        assert_eq!(bar(1, 80), "▌");
        assert_eq!(bar(200, 100), "█".repeat(40));
        assert_eq!(bar(-5, 0), "");
    }

    #[test]
    fn the_panel_has_a_row_for_each_line_of_the_chart() {
        let expected = "
  sent             800,000  ████████████████████████████████
  app-1            637,500  █████████████████████████▌
  app-2            200,000  ████████
  aggregate        837,500  █████████████████████████████████▌
  delta            +37,500  more was processed than sent: duplicates
  1:05              25,003  records/s sent
";
        assert_eq!(VIEW.panel(false), expected);
        assert!(VIEW.panel(true).contains(GREEN));
    }

    #[test]
    fn a_delta_within_the_report_interval_is_no_duplicate() {
        let panel = |delta| View { seen: Snapshot { delta, ..VIEW.seen }, ..VIEW }.panel(false);
        assert!(panel(37_500).contains("duplicates"));
        assert!(panel(-37_500).contains("not yet processed"));
        assert!(panel(12_000).contains("in step") && panel(-12_000).contains("in step"));
    }
}
