use std::fmt::Write as _;

use super::table::Table;
use crate::format;
use crate::render::{meaning, words};
use crate::view::{Header, Report};

/// How many of the newest events are printed.
const EVENTS: usize = 20;

pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    header(&report.header, &mut text);
    audits(report, &mut text);
    series(report, &mut text);
    instances(report, &mut text);
    events(report, &mut text);
    pipeline(report, &mut text);
    text
}

// Writing to a string can't fail, so the results of `write!` are ignored.

fn header(header: &Header, text: &mut String) {
    let (_, word, detail) = words(header, usize::MAX);
    let _ = write!(text, "{word}");
    if !detail.is_empty() {
        let _ = write!(text, " {detail}");
    }
    let _ = write!(text, "\n  brokers {}", header.brokers);
    if let Some(age) = header.newest_aggregate_age_ms {
        let _ = write!(text, ", newest aggregate {} ago", format::span(age));
    }
    if let Some(lag) = header.aggregator_lag {
        let _ = write!(text, ", aggregator's lag {}", format::count(lag.into()));
    }
    if header.clock_offset_ms != 0 {
        let side = if header.clock_offset_ms > 0 { "ahead" } else { "behind" };
        let _ = write!(text, ", this machine's clock {} {side}", format::span(header.clock_offset_ms.abs()));
    }
    let runs = header.runs;
    let _ = writeln!(
        text,
        "\n  instances: {} live, {} silent, {} idle, {} restarted, {} left",
        runs.live, runs.silent, runs.idle, runs.restarted, runs.left
    );
}

fn audits(report: &Report, text: &mut String) {
    text.push_str("\nAUDITS\n");
    if report.audits.is_empty() {
        text.push_str("  none\n");
        return;
    }
    let mut table = Table::new(&["AUDIT", "SENT", "PROCESSED", "DELTA", ""], &[1, 2, 3]);
    let number = |number: Option<i128>, form: fn(i128) -> String| number.map_or_else(|| "-".to_owned(), form);
    for audit in &report.audits {
        table.push([
            audit.audit.to_string(),
            number(audit.sent, format::count),
            number(audit.processed, format::count),
            number(audit.delta, format::signed),
            meaning(audit).1,
        ]);
    }
    table.write(text);
}

fn series(report: &Report, text: &mut String) {
    text.push_str("\nSERIES\n");
    let mut table = Table::new(&["SERIES", "TOTAL", "RATE/s", "INSTANCES"], &[1, 2, 3]);
    for series in &report.series {
        table.push([
            series.series.to_string(),
            series.total.map_or_else(|| "-".to_owned(), format::count),
            rate(series.rate),
            series.instances.to_string(),
        ]);
    }
    table.write(text);
}

fn instances(report: &Report, text: &mut String) {
    text.push_str("\nINSTANCES");
    if let Some(series) = &report.instances.series {
        let _ = write!(text, ", counts of {series}");
    }
    text.push('\n');
    let heads = ["INSTANCE", "RUN", "STARTED", "REPORT", "COUNT", "RATE/s", "SHARE", "STATE"];
    let mut table = Table::new(&heads, &[2, 3, 4, 5, 6]);
    let now = report.instances.now;
    for row in &report.instances.rows {
        table.push([
            row.instance.to_string(),
            row.run.clone().unwrap_or_else(|| "-".to_owned()),
            format::span(now - row.started),
            format::span(now - row.last_report),
            row.count.map_or_else(|| "-".to_owned(), |count| format::count(i128::try_from(count).unwrap_or(i128::MAX))),
            rate(row.rate),
            row.share.map_or_else(|| "-".to_owned(), format::percent),
            row.state.word().to_owned(),
        ]);
    }
    table.write(text);
}

fn events(report: &Report, text: &mut String) {
    text.push_str("\nTIMELINE\n");
    if report.events.is_empty() {
        text.push_str("  none\n");
    }
    for event in report.events.iter().take(EVENTS) {
        let (clock, age) = (format::clock(event.at), format::span(event.age));
        let _ = writeln!(text, "  {clock}  {age:>8} ago  {} {}", event.subject, event.event);
    }
}

fn pipeline(report: &Report, text: &mut String) {
    let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| format::count(number.into()));
    text.push_str("\nPIPELINE\n");
    let mut topics = Table::new(&["TOPIC", "LOG END", "RECORDS/s", "READING"], &[1, 2]);
    for topic in &report.pipeline.topics {
        topics.push([topic.topic.to_owned(), number(topic.log_end), rate(topic.rate), topic.state.to_string()]);
    }
    topics.write(text);
    if !report.pipeline.groups.is_empty() {
        text.push('\n');
        let mut groups = Table::new(&["GROUP", "TOPIC", "POSITION", "LAG", "RECORDS/s"], &[2, 3, 4]);
        for group in &report.pipeline.groups {
            let cells = [number(group.position), number(group.lag), rate(group.rate)];
            groups.push([group.group.to_string(), group.topic.to_owned()].into_iter().chain(cells));
        }
        groups.write(text);
    }
    if !report.pipeline.bad_records.is_empty() {
        text.push('\n');
        let mut bad = Table::new(&["BAD RECORDS", "REASON", "MET BY"], &[0]);
        for row in &report.pipeline.bad_records {
            bad.push([format::count(row.count), row.reason.to_string(), row.met_by.to_owned()]);
        }
        bad.write(text);
    }
    if report.pipeline.cut_off > 0 {
        let _ = writeln!(text, "\n  no room for more series or runs: {} times", report.pipeline.cut_off);
    }
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), format::rate)
}
