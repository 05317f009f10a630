//! The results of all rounds, as tables for RESULTS.md.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::measure::{Measured, median};

/// The measurements so far.
#[derive(Default)]
pub(crate) struct Report {
    measured: BTreeMap<String, Vec<Measured>>,
    seconds: BTreeMap<String, Vec<f64>>,
}

impl Report {
    /// Adds a measurement of how fast a topic was read.
    pub(crate) fn measured(&mut self, what: &str, measured: Measured) {
        let Measured { rate, cpu, peak_rss } = measured;
        eprintln!("{what}: {rate:.0} counters/s, {cpu:.2} CPU-s/million, {peak_rss:.0} MB");
        self.measured.entry(what.to_owned()).or_default().push(measured);
    }

    /// Adds a measurement of how long something took.
    pub(crate) fn seconds(&mut self, what: &str, took: Duration) {
        eprintln!("{what}: {:.3} s", took.as_secs_f64());
        self.seconds.entry(what.to_owned()).or_default().push(took.as_secs_f64());
    }

    /// Prints the median of all rounds, with their range in parentheses.
    pub(crate) fn print(&self) {
        println!(
            "\n| | counters/s | of the bare consumer's | CPU-s per million | peak RSS, MB |\n|---|---|---|---|---|"
        );
        for (what, rounds) in &self.measured {
            let topic = what.rsplit(", ").next().unwrap_or_default();
            let bare = self.measured.get(&format!("bare consumer, {topic}"));
            let bare = bare.map_or(f64::NAN, |bare| median(bare.iter().map(|measured| measured.rate)));
            let (rate, rates) = spread(rounds.iter().map(|measured| measured.rate / 1000.0), 0);
            let ratio = median(rounds.iter().map(|measured| measured.rate)) / bare;
            let (cpu, cpus) = spread(rounds.iter().map(|measured| measured.cpu), 2);
            let (rss, _) = spread(rounds.iter().map(|measured| measured.peak_rss), 0);
            println!("| {what} | {rate} k ({rates}) | {ratio:.2} | {cpu} ({cpus}) | {rss} |");
        }
        println!("\n| | seconds |\n|---|---|");
        for (what, rounds) in &self.seconds {
            let (median, range) = spread(rounds.iter().copied(), 3);
            println!("| {what} | {median} ({range}) |");
        }
    }
}

/// The median and the range, with this number of decimals.
fn spread(numbers: impl Iterator<Item = f64> + Clone, decimals: usize) -> (String, String) {
    let (low, high) = numbers
        .clone()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)));
    (format!("{:.decimals$}", median(numbers)), format!("{low:.decimals$}-{high:.decimals$}"))
}
