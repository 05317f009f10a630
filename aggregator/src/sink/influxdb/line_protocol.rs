//! InfluxDB's line protocol: measurement = metric name, tags = labels, fields `total` and `instances`, time in ms.
//!
//! Commas, spaces and equals signs are escaped. What can't be escaped is cleaned by the rule of
//! [`clean`](crate::sink::clean): control characters, a `#` that would begin a comment, a backslash that a parser could read
//! as an escape, and tags with the names of columns that the servers or our fields use.

use std::io::Write as _;

use quipu_record::{Aggregate, Total};

use crate::sink::clean::push_cleaned;

/// Names that a tag can't have: the columns of InfluxDB, the metric name of VictoriaMetrics, and our fields, which are
/// columns of the same table in InfluxDB 3.
const TAKEN: [&str; 6] = ["time", "_field", "_measurement", "__name__", "total", "instances"];

/// The total is too large for InfluxDB, which has 64-bit signed integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the total is too large for InfluxDB's 64-bit integers")]
pub(crate) struct TotalTooLarge;

/// Appends a line. Returns whether a name or a value was cleaned. After an error nothing was appended.
pub(crate) fn push_line(out: &mut Vec<u8>, aggregate: &Aggregate) -> Result<bool, TotalTooLarge> {
    let start = out.len();
    let instances = i64::try_from(aggregate.instances).unwrap_or(i64::MAX);
    let name = aggregate.series.name();
    let mut cleaned = push_text(out, name, b", ", name.starts_with('#'));
    for (name, value) in aggregate.series.labels() {
        out.push(b',');
        cleaned |= push_text(out, name, b",= ", TAKEN.contains(&name.as_ref()));
        out.push(b'=');
        cleaned |= push_text(out, value, b",= ", false);
    }
    out.push(b' ');
    if let Err(error) = push_fields(out, &aggregate.total) {
        out.truncate(start);
        return Err(error);
    }
    // Writing to a vector can't fail.
    let _ = writeln!(out, ",instances={instances}i {}", aggregate.timestamp);
    Ok(cleaned)
}

/// Appends the fields of a total. Their names are in `TAKEN`.
fn push_fields(out: &mut Vec<u8>, total: &Total) -> Result<(), TotalTooLarge> {
    match total {
        Total::Counter(count) | Total::Delta(count) => {
            let count = i64::try_from(*count).map_err(|_| TotalTooLarge)?;
            let _ = write!(out, "total={count}i");
        }
    }
    Ok(())
}

/// Appends `text` with a backslash before each byte of `special`. Bytes that can't be escaped are cleaned, and the first
/// byte is if `not_first`. Returns whether a byte was cleaned.
fn push_text(out: &mut Vec<u8>, text: &str, special: &[u8], not_first: bool) -> bool {
    let bytes = text.as_bytes();
    let is_plain = |byte: u8| !byte.is_ascii_control() && !b", =\\\"".contains(&byte);
    if !not_first && bytes.iter().all(|byte| is_plain(*byte) && *byte != b'_') {
        out.extend_from_slice(bytes);
        return false;
    }
    let start = out.len();
    // Before an ordinary character every parser reads a backslash as itself; before others and at the end, parsers differ.
    let keep = |at: usize, byte: u8| {
        !(byte.is_ascii_control()
            || at == 0 && not_first
            || byte == b'\\' && !bytes.get(at + 1).is_some_and(|next| is_plain(*next)))
    };
    let cleaned = push_cleaned(out, text, keep);
    if out[start..].iter().any(|byte| special.contains(byte)) {
        let text = out.split_off(start);
        for byte in text {
            if special.contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quipu_record::Series;

    use super::*;
    use crate::sink::clean::restore;
    use crate::sink::tests::series;

    fn aggregate(series: Series, count: i128) -> Aggregate {
        let (timestamp, offset) = (quipu_record::Millis(1_718_900_012_345), quipu_record::Offset(7));
        Aggregate { series, total: Total::Counter(count), timestamp, offset, instances: 3 }
    }

    fn line(name: &str, labels: &[(&str, &str)]) -> (String, bool) {
        let mut out = Vec::new();
        let series = Series::new(name, labels.iter().copied()).expect("a series");
        let cleaned = push_line(&mut out, &aggregate(series, 250_000)).expect("a small total");
        let line = String::from_utf8(out).expect("text");
        (line.strip_suffix(" total=250000i,instances=3i 1718900012345\n").expect("fields and time").to_owned(), cleaned)
    }

    #[test]
    fn what_can_be_escaped_is_escaped() {
        assert_eq!(line("records", &[]), ("records".to_owned(), false));
        assert_eq!(line("a b,c=d", &[("k =,", "v =,\"")]), (r#"a\ b\,c=d,k\ \=\,=v\ \=\,""#.to_owned(), false));
        assert_eq!(line("a", &[("path", r"C:\temp")]), (r"a,path=C:\temp".to_owned(), false));
    }

    #[test]
    fn what_can_not_be_escaped_is_cleaned_and_reported() {
        assert_eq!(line("#a#", &[]), ("_x23a#".to_owned(), true));
        assert_eq!(line("a\nb total=1i", &[]), (r"a_x0Ab\ total=1i".to_owned(), true));
        assert_eq!(line("a", &[("k", "v\\")]), ("a,k=v_x5C".to_owned(), true));
        assert_eq!(line("a", &[("k", r"\\,")]), (r"a,k=_x5C_x5C\,".to_owned(), true));
        assert_eq!(line("a", &[("time", "1"), ("total", "2")]), ("a,_x74ime=1,_x74otal=2".to_owned(), true));
    }

    #[test]
    fn totals_are_exact_or_refused() {
        let series = Series::new("a", [("b", "c")]).expect("a series");
        let mut out = Vec::new();
        assert_eq!(push_line(&mut out, &aggregate(series.clone(), i128::from(i64::MAX))), Ok(false));
        assert_eq!(out, format!("a,b=c total={}i,instances=3i 1718900012345\n", i64::MAX).as_bytes());
        let one_line = out.len();
        assert_eq!(push_line(&mut out, &aggregate(series, i128::from(i64::MAX) + 1)), Err(TotalTooLarge));
        assert_eq!(out.len(), one_line);
    }

    /// Reads the key of a line by the documentation of the protocol.
    fn read_key(line: &[u8]) -> (String, Vec<(String, String)>) {
        let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
        let mut bytes = line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let in_tags = parts.len() > 1;
            let part = parts.last_mut().expect("never empty");
            match byte {
                b'\\' if matches!(bytes.peek(), Some(b',' | b' ')) => part.extend(bytes.next()),
                b'\\' if in_tags && bytes.peek() == Some(&b'=') => part.extend(bytes.next()),
                b' ' => break,
                b',' => parts.push(Vec::new()),
                b'=' if in_tags => parts.push(Vec::new()),
                _ => part.push(byte),
            }
        }
        let mut texts = parts.iter().map(|part| restore(part));
        let name = texts.next().expect("a measurement");
        let mut labels = Vec::new();
        while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
            labels.push((name, value));
        }
        labels.sort();
        (name, labels)
    }

    proptest! {
        #[test]
        fn a_hostile_series_is_one_line_and_reads_back(series in series()) {
            let mut out = Vec::new();
            push_line(&mut out, &aggregate(series.clone(), 1)).expect("a small total");
            prop_assert_eq!(out.iter().position(u8::is_ascii_control), Some(out.len() - 1));
            prop_assert!(!out.starts_with(b"#"));
            let (name, labels) = read_key(&out);
            prop_assert_eq!(Series::new(name, labels), Ok(series));
        }
    }
}
