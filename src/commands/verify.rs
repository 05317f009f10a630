//! `quipu verify`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use quipu_verify::{Difference, NotByLog, Problem, Report};

use crate::config_options::ConfigOptions;
use crate::output;
use crate::progress::Progress;
use crate::visible::push_visible;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu verify                                  compare metrics-agg with metrics, on localhost:9092
  quipu verify --config quipu.toml              use the topics and the audits of the aggregator
  quipu verify --output json | jq .differences

An aggregator may be running: each total has the offset on metrics up to which it is compared.

The log alone proves a total as long as it has all records. What compaction or retention removed is taken from the changelog,
and so are the counts of expired rows: the result names the totals that depend on it. Use the configuration of the
aggregator, because `retention` decides when rows expire.

Exit codes:
  0  no difference
  1  differences, one per line
  2  an error, or no total could be checked";

/// How many of the totals that can't be checked, and of those that the log alone can't confirm, are listed.
const NAMED: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    #[command(flatten)]
    config: ConfigOptions,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    output: OutputFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// One line for each difference, and one line with counts
    #[default]
    Text,
    /// One JSON object
    Json,
}

pub(crate) fn run(options: VerifyOptions) -> Result<ExitCode> {
    let config = options.config.load(Vec::new())?;
    let mut progress = Progress::default();
    let report = quipu_verify::verify(&config, &mut |read| progress.show(&read))?;
    output::print(&match options.output {
        OutputFormat::Text => text(&report),
        OutputFormat::Json => {
            let mut json = serde_json::to_string(&report).context("the result can't be written as JSON")?;
            json.push('\n');
            json
        }
    })?;
    Ok(match report.is_ok() {
        false => ExitCode::from(1),
        true if report.nothing_was_checked() => ExitCode::from(2),
        true => ExitCode::SUCCESS,
    })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for difference in &report.differences {
        push_visible(&mut text, &line(difference), |_| false);
        text.push('\n');
    }
    for unanswered in report.unanswered.iter().take(NAMED) {
        let line =
            format!("not answerable: {} as of offset {}: {}", unanswered.series, unanswered.offset, unanswered.why);
        push_visible(&mut text, &line, |_| false);
        text.push('\n');
    }
    for NotByLog { series, rows, retired_rows } in report.not_by_log.iter().take(NAMED) {
        let line = format!(
            "not by the log alone: {series}: only the changelog has {rows} rows and {retired_rows} expired rows of it"
        );
        push_visible(&mut text, &line, |_| false);
        text.push('\n');
    }
    let Report { aggregates, by_log, with_changelog, rows, retired, log_start, records, .. } = report;
    if report.not_by_log.len() > NAMED {
        let _ = writeln!(text, "not by the log alone: {} more", report.not_by_log.len() - NAMED);
    }
    if report.unanswered.len() > NAMED {
        let more = report.unanswered.len() - NAMED;
        let _ = writeln!(text, "not answerable: {more} more; the log begins at offset {log_start}");
    }
    if report.over_limits {
        text.push_str("note: the log has more rows or series than [limits] allows; this check counts the records that the aggregator rejected for that reason\n");
    }
    if report.expired_otherwise {
        text.push_str("note: rows expired at other times than the log gives with this `retention`: was it changed, or is this not the configuration of the aggregator?\n");
    }
    let found = match report.differences.len() {
        0 => "no difference".to_owned(),
        1 => "1 difference".to_owned(),
        several => format!("{several} differences"),
    };
    let asked = report.offset.map(|offset| format!(" up to offset {offset}")).unwrap_or_default();
    let unanswered = report.unanswered.len();
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "{found}: {aggregates} totals{asked} ({by_log} correct by the log alone, {with_changelog} with the help of the changelog, {unanswered} not answerable), {rows} rows and {retired} retired sums of the changelog agree, {records} records read"
    );
    text
}

fn line(difference: &Difference) -> String {
    let Difference { problem, name, expected, found, offset, detail } = difference;
    let what = match problem {
        Problem::Total => "",
        Problem::Stale => "changed, but was not published again: ",
        Problem::Missing => "was never published: ",
        Problem::BeyondLog => "has an offset that the log does not have: ",
        Problem::Unreadable => "is not an aggregate: ",
        Problem::Row => "a row of the changelog differs from the log: ",
        Problem::Retired => "the expired rows of the changelog differ from the log: ",
        _ => "differs: ",
    };
    let mut parts = Vec::new();
    parts.extend(expected.map(|count| format!("expected {count}")));
    parts.extend(found.map(|count| format!("found {count}")));
    parts.extend(offset.map(|offset| format!("as of offset {offset}")));
    parts.extend(detail.clone());
    format!("{name}: {what}{}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use quipu_verify::Unanswered;

    use super::*;

    #[test]
    fn each_difference_is_a_line_that_can_not_write_to_the_terminal() {
        let difference = Difference {
            problem: Problem::Total,
            name: "a\u{1b}[2J\nb".to_owned(),
            expected: Some(5),
            found: Some(6),
            offset: Some(9),
            detail: None,
        };
        let stale = Difference {
            problem: Problem::Stale,
            detail: Some("published at offset 3".to_owned()),
            ..difference.clone()
        };
        let report = Report { aggregates: 2, differences: vec![difference, stale], ..Report::default() };
        let text = text(&report);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], r"a\u{1b}[2J\nb: expected 5, found 6, as of offset 9");
        assert!(lines[1].ends_with("not published again: expected 5, found 6, as of offset 9, published at offset 3"));
        assert!(lines[2].starts_with("2 differences: 2 totals (0 correct"));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn no_difference_is_one_line_and_unanswered_totals_are_listed() {
        let mut report = Report { aggregates: 3, by_log: 3, offset: Some(7), records: 8, ..Report::default() };
        assert!(text(&report).starts_with("no difference: 3 totals up to offset 7 (3 correct by the log alone, 0 "));
        assert_eq!(text(&report).lines().count(), 1);
        report.unanswered = vec![Unanswered { series: "a".to_owned(), offset: 1, why: "too old" }; NAMED + 2];
        let text = text(&report);
        assert!(text.starts_with("not answerable: a as of offset 1: too old\n"));
        assert!(text.contains("not answerable: 2 more"));
    }

    #[test]
    fn totals_that_depend_on_the_changelog_are_listed() {
        let depends = NotByLog { series: "a".to_owned(), rows: 2, retired_rows: 7 };
        let mut report =
            Report { aggregates: 3, with_changelog: 3, not_by_log: vec![depends.clone()], ..Report::default() };
        let one = text(&report);
        let line = "not by the log alone: a: only the changelog has 2 rows and 7 expired rows of it\n";
        assert!(one.starts_with(line) && one.lines().count() == 2, "{one}");
        report.not_by_log = vec![depends; NAMED + 1];
        report.expired_otherwise = true;
        let many = text(&report);
        assert!(many.contains("not by the log alone: 1 more\n") && many.contains("\nnote: rows expired"), "{many}");
    }
}
