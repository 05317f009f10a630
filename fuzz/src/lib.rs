//! Properties that the decoders and encoders of Quipu have for every input.
//!
//! Each target is a plain function. The fuzz targets of `fuzz/targets` call it with inputs that libFuzzer makes up
//! (`tests/fuzz`), and the test `corpus` calls it with the files of `fuzz/corpus`. An input is text that a person can write,
//! so that every input that was found can be read and kept. A property that does not hold is a panic.

mod aggregate;
mod clean;
mod config;
mod graphite;
mod influxdb;
mod prometheus;
mod query;
mod record;
mod selector;
mod series;
mod state;
mod totals;

use std::fmt::Display;

/// A decoder or an encoder, and what holds for it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of the fuzz target and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Checks the properties.
    pub check: fn(&[u8]) -> Outcome,
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was decoded or encoded.
    Accepted,
    /// It was refused with an error.
    Refused,
}

/// All targets.
pub const TARGETS: [Target; 10] = [
    Target { name: "aggregate", check: aggregate::check },
    Target { name: "config", check: config::check },
    Target { name: "graphite", check: graphite::check },
    Target { name: "influxdb", check: influxdb::check },
    Target { name: "prometheus", check: prometheus::check },
    Target { name: "query", check: query::check },
    Target { name: "record", check: record::check },
    Target { name: "selector", check: selector::check },
    Target { name: "series", check: series::check },
    Target { name: "state", check: state::check },
];

/// Checks the target of this name, for the fuzz targets.
///
/// # Panics
/// A property does not hold, or there is no such target.
pub fn check(target: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|known| known.name == target).expect("the name of a target");
    (target.check)(input);
}

/// Checks the text of an error: a reader gets a reason, and a log is not flooded by what is in the record.
fn check_error(error: &dyn Display, most_bytes: usize) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "an error without a text");
    assert!(text.len() <= most_bytes, "an error of {} bytes: {text}", text.len());
}

/// The input as text without the newline that editors put at the end.
fn text(input: &[u8]) -> Option<&str> {
    let text = str::from_utf8(input).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(text))
}
