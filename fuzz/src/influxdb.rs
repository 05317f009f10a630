//! InfluxDB's line protocol: a total for each line of the input.

use quipu_aggregator::fuzzing::influxdb_line;
use quipu_record::{Aggregate, Series};

use crate::clean::restore;
use crate::{Outcome, text, totals};

/// The columns of the servers, and our fields.
const TAKEN: [&str; 6] = ["time", "_field", "_measurement", "__name__", "total", "instances"];

pub(crate) fn check(input: &[u8]) -> Outcome {
    let Some(text) = text(input) else { return Outcome::Refused };
    let mut outcome = Outcome::Accepted;
    for total in totals::read(text.split('\n')) {
        let mut out = b"before\n".to_vec();
        if let Some(cleaned) = influxdb_line(&mut out, &total) {
            let line = String::from_utf8(out.split_off("before\n".len())).expect("text");
            check_line(&line, &total, cleaned);
        } else {
            assert!(i64::try_from(totals::count(&total.total)).is_err(), "{}", totals::count(&total.total));
            assert_eq!(out, b"before\n", "nothing was appended");
            outcome = Outcome::Refused;
        }
    }
    outcome
}

fn check_line(line: &str, total: &Aggregate, cleaned: bool) {
    let text = line.strip_suffix('\n').expect("a whole line");
    assert!(!text.bytes().any(|byte| byte.is_ascii_control()), "one line: {line:?}");
    assert!(!text.starts_with('#'), "no comment: {line:?}");
    let point = read(text, ", ", ",= ");
    // VictoriaMetrics undoes more escapes than InfluxDB, and everywhere.
    assert_eq!(point, read(text, ",= \\", ",= \\"), "all servers read the same: {line:?}");

    let Point { measurement, tags, fields, time } = point;
    let restored = tags.iter().map(|(name, value)| (restore(name).expect("text"), restore(value).expect("text")));
    let series = Series::new(restore(&measurement).expect("text"), restored);
    assert_eq!(series.as_ref(), Ok(&total.series), "{line:?}");
    assert!(tags.iter().all(|(name, _)| !TAKEN.contains(&name.as_str())), "{line:?}");
    let instances = i64::try_from(total.instances).unwrap_or(i64::MAX);
    assert_eq!(fields, format!("total={}i,instances={instances}i", totals::count(&total.total)));
    assert_eq!(time, total.timestamp.0.to_string());
    let stored: Vec<_> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let labels = total.series.labels().iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
    let is_same = measurement == total.series.name() && labels.eq(stored);
    assert_eq!(cleaned, !is_same, "{line:?}");
}

#[derive(Debug, PartialEq, Eq)]
struct Point {
    measurement: String,
    tags: Vec<(String, String)>,
    fields: String,
    time: String,
}

/// Reads a line whose measurement and whose tags have escapes for these characters.
fn read(line: &str, of_measurement: &str, of_tags: &str) -> Point {
    let mut rest = line;
    let measurement = take_until(&mut rest, ", ", of_measurement);
    let mut tags = Vec::new();
    while let Some(after) = rest.strip_prefix(',') {
        rest = after;
        let name = take_until(&mut rest, "=", of_tags);
        rest = rest.strip_prefix('=').expect("a tag's value");
        tags.push((name, take_until(&mut rest, ", ", of_tags)));
    }
    let rest = rest.strip_prefix(' ').expect("fields");
    let (fields, time) = rest.split_once(' ').expect("a time");
    Point { measurement, tags, fields: fields.to_owned(), time: time.to_owned() }
}

/// Takes the text up to one of the `ends` that has no backslash before it, and undoes the escapes.
fn take_until(rest: &mut &str, ends: &str, escaped: &str) -> String {
    let mut text = String::new();
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if chars.peek().is_some_and(|(_, next)| escaped.contains(*next)) => {
                text.extend(chars.next().map(|(_, next)| next));
            }
            c if ends.contains(c) => {
                *rest = &rest[at..];
                return text;
            }
            c => text.push(c),
        }
    }
    *rest = "";
    text
}
