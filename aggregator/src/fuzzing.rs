//! What the fuzz targets (`fuzz/`) check. It is no part of the API, and may change at any time.

use quipu_config::Template;
use quipu_record::Aggregate;

pub use crate::http::fuzzing::{Api, exposition};
use crate::sink;

/// Appends the line that a sink writes to InfluxDB. Returns whether a name or a value was cleaned, and nothing if the total is
/// too large.
#[cfg(feature = "influxdb")]
pub fn influxdb_line(out: &mut Vec<u8>, aggregate: &Aggregate) -> Option<bool> {
    sink::influxdb::line_protocol::push_line(out, aggregate).ok()
}

/// Appends the line that a sink writes to Graphite. Returns whether a name or a value was cleaned.
pub fn graphite_line(out: &mut Vec<u8>, aggregate: &Aggregate, template: &Template, tags: bool) -> bool {
    sink::graphite::line::push_line(out, aggregate, template, tags)
}
