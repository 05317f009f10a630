//! `quipu explain`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use quipu_record::Series;
use serde::Deserialize;

use crate::config_options::{ConfigOptions, flag, reachable};
use crate::http_client::Request;
use crate::output;
use crate::visible::push_visible;

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu explain 'records_processed{topic=\"auth\"}'
  quipu explain records_sent --limit 5          the five rows that contribute the most, and the sum of all others
  quipu explain records_sent --config quipu.toml --http aggregator:9464
  quipu explain records_sent --output json | jq '.parts[].instance'

A row is a run, a part of a run, or a plain key. The rows, the sum of the rows beyond the limit, and the sum of the rows that
expired add up to the total, exactly: all of them are as of one position.

The command asks the active aggregator over HTTP. If the aggregator requires a token, http.token_file of the configuration
names the file.

States of a row:
  live     it reports
  left     the run sent its final report
  silent   the run stopped reporting without a final report
  idle     no record came for this plain key for a while

Exit codes:
  0  the total is explained
  2  an error, or there is no such total";

/// Longer than the aggregator lets a request wait.
const TIMEOUT: Duration = Duration::from_secs(15);
/// More bytes than 10,000 rows have.
const ANSWER_BYTES: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// The series: a metric's name with all its labels
    #[arg(value_name = "SERIES")]
    series: Series,
    /// The most rows to list, 1 to 10000; the sum of all others is one line
    #[arg(long, value_name = "ROWS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// The form of the result
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    output: OutputFormat,
    /// The address on which the aggregator serves HTTP [default: 127.0.0.1:9464]
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<String>,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// A table
    #[default]
    Text,
    /// One JSON object, as /api/v1/explain serves it
    Json,
}

/// The answer of `/api/v1/explain`.
#[derive(Debug, Deserialize)]
struct Explanation {
    position: i64,
    series: String,
    total: i128,
    parts: Vec<Part>,
    omitted: Sum,
    retired: Sum,
}

#[derive(Debug, Deserialize)]
struct Part {
    key: String,
    state: String,
    value: i128,
    offset: i64,
    last_seen: i64,
}

#[derive(Debug, Deserialize)]
struct Sum {
    rows: u64,
    value: i128,
}

/// The body of an answer that is not 200.
#[derive(Debug, Deserialize)]
struct Refused {
    error: String,
}

pub(crate) fn run(options: ExplainOptions) -> Result<ExitCode> {
    let http = flag("--http", "http.listen", options.http);
    let config = options.config.load(http.into_iter().collect())?;
    let address = reachable(&config)?;
    let url = format!("http://{address}");
    let path = format!("/api/v1/explain?limit={}&series={}", options.limit, encoded(&options.series.to_string()));
    let token = config.http.token().map(str::to_owned);
    let request = Request { address, path, token, timeout: TIMEOUT, answer_bytes: ANSWER_BYTES };
    let (status, answer) = request.get().with_context(|| format!("{url}: is the aggregator running there?"))?;
    if status != 200 {
        match serde_json::from_str(&answer) {
            Ok(Refused { error }) => bail!("{url}: {error}"),
            Err(_) => bail!("{url}: status {status}"),
        }
    }
    let explanation: Explanation =
        serde_json::from_str(&answer).with_context(|| format!("{url}: the answer is not an explanation"))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    output::print(&match options.output {
        OutputFormat::Text => text(&explanation, i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        OutputFormat::Json => answer + "\n",
    })
}

/// Percent-encodes text for a query string.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            encoded.push(byte.into());
        } else {
            // Writing to a string can't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn text(explanation: &Explanation, now_ms: i64) -> String {
    let Explanation { position, series, total, parts, omitted, retired } = explanation;
    let sums = [(omitted, "beyond --limit"), (retired, "expired")].into_iter().filter(|(sum, _)| sum.rows > 0);
    let mut lines = vec![["VALUE", "STATE", "OFFSET", "REPORTED", "KEY"].map(str::to_owned)];
    lines.extend(parts.iter().map(|Part { key, state, value, offset, last_seen }| {
        [value.to_string(), state.clone(), offset.to_string(), ago(now_ms.saturating_sub(*last_seen)), key.clone()]
    }));
    lines.extend(sums.map(|(Sum { rows, value }, what)| {
        let rows = if *rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        [value.to_string(), String::new(), String::new(), String::new(), format!("{rows} {what}")]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let (values, states, offsets, times) = (width(0).max(total.to_string().len()), width(1), width(2), width(3));
    let mut text = String::new();
    push_visible(&mut text, &format!("{series}: {total} as of offset {}", position - 1), |_| false);
    text.push_str("\n\n");
    for [value, state, offset, time, key] in &lines {
        let line = format!("{value:>values$}  {state:states$}  {offset:>offsets$}  {time:>times$}  {key}");
        push_visible(&mut text, &line, |_| false);
        text.push('\n');
    }
    let _ = writeln!(text, "{total:>values$}  total");
    text
}

/// The time since a report, in its largest unit.
fn ago(ms: i64) -> String {
    match ms / 1000 {
        ..1 => "now".to_owned(),
        seconds @ 1..60 => format!("{seconds}s ago"),
        seconds @ 60..3600 => format!("{}m ago", seconds / 60),
        seconds @ 3600..172_800 => format!("{}h ago", seconds / 3600),
        seconds => format!("{}d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_add_up_to_the_total() {
        let part = |key: &str, state: &str, value, offset, last_seen| Part {
            key: key.to_owned(),
            state: state.to_owned(),
            value,
            offset,
            last_seen,
        };
        let explanation = Explanation {
            position: 812,
            series: "done\u{1b}".to_owned(),
            total: 1_000_171,
            parts: vec![
                part("app-1/1", "live", 1_000_000, 811, 99_500),
                part("b\u{1b}[2J", "silent", 120, 9, 10_000),
                part("c", "left", -1, 7, -4_000_000),
            ],
            omitted: Sum { rows: 1, value: 2 },
            retired: Sum { rows: 30, value: 50 },
        };
        let expected = r"done\u{1b}: 1000171 as of offset 811

  VALUE  STATE   OFFSET  REPORTED  KEY
1000000  live       811       now  app-1/1
    120  silent       9    1m ago  b\u{1b}[2J
     -1  left         7    1h ago  c
      2                            1 row beyond --limit
     50                            30 rows expired
1000171  total
";
        assert_eq!(text(&explanation, 100_000), expected);
    }

    #[test]
    fn a_total_without_a_large_number_is_aligned_too() {
        let sum = || Sum { rows: 0, value: 0 };
        let explanation = Explanation {
            position: 1,
            series: "a".to_owned(),
            total: 0,
            parts: Vec::new(),
            omitted: sum(),
            retired: sum(),
        };
        let expected = "a: 0 as of offset 0\n\nVALUE  STATE  OFFSET  REPORTED  KEY\n    0  total\n";
        assert_eq!(text(&explanation, 0), expected);
    }

    #[test]
    fn a_series_is_encoded() {
        assert_eq!(encoded(r#"a_1{b="é&"}"#), "a_1%7Bb%3D%22%C3%A9%26%22%7D");
    }

    #[test]
    fn an_age_has_one_unit() {
        let ages = [-5, 0, 1_000, 59_999, 60_000, 3_600_000, 172_799_000, 172_800_000].map(ago);
        assert_eq!(ages, ["now", "now", "1s ago", "59s ago", "1m ago", "1h ago", "47h ago", "2d ago"]);
    }
}
