//! Records of `metrics`: key, tab, value, as in `record/examples/records.txt`. Without a tab the key is null; the value
//! `NULL` is null.

use quipu_record::{
    CounterPrefix, Key, Millis, PlainRecord, RangesPrefix, Record, Report, ReportHeader, ReportWriter, RunKey, Series,
    Value, decode, limits,
};
use serde_json::json;

use crate::series::check_series;
use crate::{Outcome, check_error};

/// A name or an excerpt is quoted, with escapes.
const ERROR_BYTES: usize = 2000;

pub(crate) fn check(input: &[u8]) -> Outcome {
    let input = input.strip_suffix(b"\n").unwrap_or(input);
    let (key, value) = match input.iter().position(|byte| *byte == b'\t') {
        Some(tab) => (Some(&input[..tab]), &input[tab + 1..]),
        None => (None, input),
    };
    let value = (value != b"NULL").then_some(value);
    match decode(key, value) {
        Ok(record) => {
            let key = key.expect("a record without a key has no row");
            assert!((1..=limits::KEY_BYTES).contains(&key.len()));
            match record {
                Record::Report { key, report } => check_report(key, &report),
                Record::Plain { key, plain } => check_plain(key, &plain),
                Record::Forget(request) => {
                    check_series(request.series.as_ref());
                    let json = request.to_json();
                    let again = decode(Some(key), Some(&json));
                    assert!(matches!(again, Ok(Record::Forget(again)) if again == request));
                }
                Record::Tombstone { key } => assert!(value.is_none(), "{key:?}"),
            }
            if let Ok(Key::Run(run)) = Key::decode(Some(key)) {
                assert_eq!(run.to_string().as_bytes(), key, "a run has one key");
            }
            Outcome::Accepted
        }
        Err(bad) => {
            check_error(&bad, ERROR_BYTES);
            assert_eq!(decode(key, value).expect_err("bad again"), bad);
            Outcome::Refused
        }
    }
}

fn check_report(key: RunKey<'_>, report: &Report<'_>) {
    let header = ReportHeader {
        instance: key.instance,
        run: key.run,
        at: report.at.0,
        seq: report.seq,
        interval_ms: report.interval_ms,
        parts: report.parts,
        is_final: report.is_final,
    };
    let mut writer = ReportWriter::new(&header);
    let mut at_most = ReportWriter::overhead_bytes(key.instance);
    for (series, value) in report.values() {
        check_series(series);
        let Value::Counter(count) = value;
        let prefix = CounterPrefix::new(series);
        at_most += prefix.counter_bytes();
        writer.push(&prefix, count);
    }
    let ranges: Vec<_> = report.ranges().collect();
    for (series, value) in &ranges {
        check_series(*series);
        writer.push_ranges(&RangesPrefix::new(*series), value);
    }
    let json = writer.finish();
    assert!(json.len() <= at_most || !ranges.is_empty());
    let text = key.to_string();
    let Ok(Record::Report { key: key_again, report: again }) = decode(Some(text.as_bytes()), Some(&json)) else {
        panic!("not a report: {text} {}", String::from_utf8_lossy(&json));
    };
    let fields = |report: &Report<'_>| (report.at, report.seq, report.interval_ms, report.parts, report.is_final);
    assert_eq!((key_again, fields(&again), values(&again)), (key, fields(report), values(report)));
    assert_eq!(again.ranges().collect::<Vec<_>>(), ranges);
}

fn check_plain(key: &str, plain: &PlainRecord<'_>) {
    check_series(plain.series());
    let Value::Counter(count) = plain.value;
    let labels = plain.series().labels().iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    let mut fields = json!({ "name": plain.series().name(), "count": count, "type": "COUNTER" });
    fields["labels"] = serde_json::Value::Object(labels);
    fields["start"] = timestamps(plain.start).swap_remove(0);
    fields["baseline"] = json!(plain.is_baseline);
    fields["expires"] = json!(plain.expires);
    for timestamp in timestamps(plain.timestamp) {
        fields["timestamp"] = timestamp;
        let json = fields.to_string();
        let Ok(Record::Plain { key: key_again, plain: again }) = decode(Some(key.as_bytes()), Some(json.as_bytes()))
        else {
            panic!("not a plain record: {json}");
        };
        assert_eq!((key_again, again.value, again.timestamp), (key, plain.value, plain.timestamp), "{json}");
        let declared = |plain: &PlainRecord<'_>| (plain.start, plain.is_baseline, plain.expires);
        assert_eq!((again.series(), declared(&again)), (plain.series(), declared(plain)), "{json}");
    }
}

/// The ways to write a time: seconds, and milliseconds unless they would be taken for seconds, as a number or a string.
fn timestamps(time: Option<Millis>) -> Vec<serde_json::Value> {
    let Some(Millis(ms)) = time else { return vec![serde_json::Value::Null] };
    let mut all = Vec::new();
    let seconds = format!("{}.{:03}", ms / 1000, ms % 1000);
    all.push(serde_json::from_str(&seconds).expect("a number"));
    all.push(json!(seconds));
    if ms >= 100_000_000_000 {
        all.extend([json!(ms), json!(ms.to_string())]);
    }
    all
}

fn values(report: &Report<'_>) -> Vec<(Series, Value)> {
    report.values().map(|(series, value)| (series.to_series(), value)).collect()
}
