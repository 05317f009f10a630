//! What a server's answer to a write of lines means. Pure.

use std::time::Duration;

/// What to do after an HTTP answer to a write of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The server stored all lines.
    Accepted,
    /// Send the same lines again, later.
    Retry,
    /// The request is wrong, not the lines: send the same lines again later, when an operator may have corrected it.
    Refused,
    /// Some of the lines are wrong, or the request is too large: send its halves.
    Split,
    /// All of the lines are wrong.
    Rejected,
}

/// Reads the answer to a write of `lines` lines.
pub(crate) fn verdict(status: u16, text: &str, lines: usize) -> Verdict {
    match status {
        200..=299 => Verdict::Accepted,
        408 | 425 | 429 | 500..=599 => Verdict::Retry,
        413 if lines > 1 => Verdict::Split,
        413 => Verdict::Rejected,
        400 | 422 if is_about_lines(text) => {
            if lines == 1 || dropped(text) == Some(lines) {
                Verdict::Rejected
            } else {
                Verdict::Split
            }
        }
        _ => Verdict::Refused,
    }
}

/// The texts of the databases, in lower case, when they have read the lines and reject some of them.
///
/// Every other text is about the request: a missing organization, a body that can't be decompressed, an answer of a
/// gateway. If such a text were taken for one about lines, the sink would drop good lines. The opposite mistake only delays
/// them.
const ABOUT_LINES: [&str; 8] = [
    // InfluxDB 1 and 2, and 3 with its default, which is to store the good lines.
    "partial write",
    "unable to parse '",
    "field type conflict",
    "points beyond retention policy",
    // InfluxDB 3.
    "parsing failed for write_lp endpoint",
    "line protocol parsing error",
    // InfluxDB Cloud, and others with the same texts.
    "failed to parse line protocol",
    // VictoriaMetrics, if it reads a request as a whole. If it reads line by line, it reports no bad line.
    "incorrect influx line",
];

fn is_about_lines(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ABOUT_LINES.iter().any(|part| text.contains(part))
}

/// The number of dropped lines in an answer of InfluxDB 1.
fn dropped(text: &str) -> Option<usize> {
    let (_, after) = text.rsplit_once("dropped=")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..digits].parse().ok()
}

/// Reads the header `Retry-After` if it is a number of seconds. The supported servers send no dates.
pub(crate) fn retry_after(header: &str) -> Option<Duration> {
    header.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_verdict() {
        let partial = r#"{"error":"partial write: field type conflict dropped=2"}"#;
        for (status, text, lines, expected) in [
            (204, "", 9, Verdict::Accepted),
            (200, "", 9, Verdict::Accepted),
            (429, "", 9, Verdict::Retry),
            (408, "", 9, Verdict::Retry),
            (503, partial, 9, Verdict::Retry),
            (413, "", 9, Verdict::Split),
            (413, "", 1, Verdict::Rejected),
            (400, partial, 9, Verdict::Split),
            (400, partial, 2, Verdict::Rejected),
            (400, partial, 1, Verdict::Rejected),
            (400, r#"{"error":"unable to parse 'x y=': missing field value"}"#, 9, Verdict::Split),
            (422, r#"{"message":"partial write: points beyond retention policy dropped=9"}"#, 9, Verdict::Rejected),
            (400, r#"{"error":"partial write of line protocol occurred","data":[]}"#, 9, Verdict::Split),
            (400, r#"{"code":"invalid","message":"failed to parse line protocol: x","line":1}"#, 1, Verdict::Rejected),
            (400, r#"{"code":"invalid","message":"Please provide either orgID or org"}"#, 9, Verdict::Refused),
            (400, r#"{"code":"invalid","message":"unable to read data: gzip: invalid header"}"#, 1, Verdict::Refused),
            (400, r#"{"error":"unexpected EOF"}"#, 1, Verdict::Refused),
            (400, r#"{"error":"database is required"}"#, 1, Verdict::Refused),
            (400, "cannot read gzipped influx line protocol data: gzip: invalid header", 1, Verdict::Refused),
            (400, r#"{"message":"no Route matched with those values"}"#, 9, Verdict::Refused),
            (422, r#"{"code":"unprocessable entity"}"#, 1, Verdict::Refused),
            (400, "<html>Bad Request</html>", 1, Verdict::Refused),
            (400, r#"{"error":"retention policy not found: x"}"#, 1, Verdict::Refused),
            (401, partial, 9, Verdict::Refused),
            (404, r#"{"error":"database not found: \"x\""}"#, 1, Verdict::Refused),
            (307, "", 9, Verdict::Refused),
        ] {
            assert_eq!(verdict(status, text, lines), expected, "{status} {text} {lines}");
        }
    }

    #[test]
    fn retry_after_is_a_number_of_seconds() {
        assert_eq!(retry_after(" 120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), None);
    }
}
