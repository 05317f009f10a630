//! The contract as an outsider sees it: bytes in, values out, and back.

use proptest::prelude::*;
use quipu_record::{
    Aggregate, BadRecord, CounterPrefix, Life, Millis, Offset, Record, ReportHeader, ReportWriter, RunKey, Series,
    SeriesRef, StateRow, StateRowHeader, StateRowKind, Total, Value, decode, limits,
};
use uuid::Uuid;

const RUN: &str = "01920000-0000-7000-8000-000000000001";

fn run_key() -> String {
    format!("app-1/{RUN}")
}

fn report_json(rest: &str) -> String {
    format!(r#"{{"v":1,"instance":"app-1","run":"{RUN}","at":1,"seq":2,"interval_ms":1000,{rest}}}"#)
}

fn bad(key: &str, value: &str) -> BadRecord {
    decode(Some(key.as_bytes()), Some(value.as_bytes())).expect_err(value)
}

fn bad_report(rest: &str) -> BadRecord {
    bad(&run_key(), &report_json(rest))
}

fn bad_plain(value: &str) -> BadRecord {
    bad("app-1:a", value)
}

#[test]
fn the_examples_that_kcat_can_send_are_read() {
    let examples = include_str!("../examples/records.txt");
    let mut kinds = Vec::new();
    for line in examples.lines().filter(|line| !line.starts_with('#')) {
        let (key, value) = line.split_once('\t').expect("key, tab, value");
        let value = (value != "NULL").then_some(value.as_bytes());
        kinds.push(match decode(Some(key.as_bytes()), value).unwrap_or_else(|bad| panic!("{line}: {bad}")) {
            Record::Report { report, .. } => format!("report of {}", report.len()),
            Record::Plain { plain, .. } => format!("{} {:?}", plain.series(), plain.timestamp.map(|time| time.0)),
            Record::Tombstone { .. } => "tombstone".to_owned(),
            Record::Forget(request) => format!("forget {}", request.series),
        });
    }
    let expected = [
        "report of 2",
        "report of 1",
        "records_processed Some(1718900012000)",
        r#"records_processed{topic="auth"} Some(1718900012345)"#,
        "records_processed None",
        "tombstone",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_report_is_read_as_it_was_meant() {
    let json = report_json(
        r#""final":true,"counters":[{"name":"a","labels":{"z":"1","b":"\n","none":""},"value":18446744073709551615},{"value":0,"name":"b","extra":[{}]}]"#,
    );
    let key = run_key();
    let Ok(Record::Report { key, report }) = decode(Some(key.as_bytes()), Some(json.as_bytes())) else {
        panic!("not a report: {json}");
    };
    assert_eq!((key.instance, key.part), ("app-1", 0));
    assert_eq!((report.at, report.seq, report.interval_ms, report.is_final), (Millis(1), 2, 1000, true));
    let counters: Vec<_> = report.values().map(|(series, value)| (series.to_string(), value)).collect();
    assert_eq!(
        counters,
        [(r#"a{b="\n",z="1"}"#.to_owned(), Value::Counter(u64::MAX)), ("b".to_owned(), Value::Counter(0))]
    );
}

#[test]
fn timestamps_are_seconds_or_milliseconds_numbers_or_strings() {
    for (json, millis) in [
        ("1718900012", 1_718_900_012_000),
        ("1718900012345", 1_718_900_012_345),
        ("\"1718900012\"", 1_718_900_012_000),
        ("1718900012.25", 1_718_900_012_250),
        ("8711900012.345", 8_711_900_012_345),
        ("\"8711900012.345\"", 8_711_900_012_345),
        ("0", 0),
    ] {
        let value = format!(r#"{{"name":"a","count":1,"timestamp":{json}}}"#);
        let Ok(Record::Plain { plain, .. }) = decode(Some(b"k"), Some(value.as_bytes())) else {
            panic!("not a counter: {value}");
        };
        assert_eq!(plain.timestamp, Some(Millis(millis)), "{json}");
    }
    for json in ["-1", "\"yesterday\"", "1718900012345678", "\"\"", "\"NaN\"", "\"inf\""] {
        let value = format!(r#"{{"name":"a","count":1,"timestamp":{json}}}"#);
        assert_eq!(bad_plain(&value), BadRecord::InvalidTimestamp, "{json}");
    }
}

#[test]
fn every_way_to_be_bad_has_its_reason() {
    let long = "x".repeat(2000);
    let huge = format!(r#"{{"name":"a","count":1,"pad":"{}"}}"#, "x".repeat(limits::RECORD_BYTES));
    let deep = format!(r#"{{"name":{}"a"{},"count":1}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let labels = |n: usize| (0..n).map(|i| format!(r#""l{i}":"x""#)).collect::<Vec<_>>().join(",");
    let found = [
        decode(None, Some(b"{}")).expect_err("no key"),
        decode(Some(b""), Some(b"{}")).expect_err("empty key"),
        decode(Some(b"\xff"), Some(b"{}")).expect_err("binary key"),
        bad(&long, "{}"),
        bad_plain(""),
        bad_plain(&huge),
        decode(Some(b"k"), Some(b"{\"name\":\"\xff\",\"count\":1}")).expect_err("binary value"),
        bad_plain("{"),
        bad_plain(r#"{"name":"a","count":1e400}"#),
        bad_plain(&deep),
        bad_plain("[1]"),
        bad_plain(r#"{"name":"a"}"#),
        bad_report(r#""counters":[{"name":"a"}]"#),
        bad_report(r#""counters":[{"name":"a","name":"b","value":1}]"#),
        bad(&run_key(), r#"{"v":2,"counts":[]}"#),
        bad(&run_key(), &report_json(r#""counters":[]"#).replace("\"v\":1", "\"v\":9")),
        bad(&run_key(), r#"{"name":"a","count":1}"#),
        bad_plain(&report_json(r#""counters":[]"#)),
        bad(&format!("app-2/{RUN}"), &report_json(r#""counters":[]"#)),
        bad_plain(r#"{"type":"GAUGE","name":"a","count":1}"#),
        bad(&format!("{}/2", run_key()), &report_json(r#""parts":2,"counters":[]"#)),
        bad_plain(r#"{"name":"a","count":1,"expires":true}"#),
        bad_plain(r#"{"name":"a","count":-1}"#),
        bad_plain(r#"{"name":"a","count":1.5}"#),
        bad_plain(r#"{"name":"a","count":18446744073709551616}"#),
        bad_plain(r#"{"name":"","count":1}"#),
        bad_plain(&format!(r#"{{"name":"{long}","count":1}}"#)),
        bad_plain(r#"{"name":"a","count":1,"labels":{"":"x"}}"#),
        bad_plain(&format!(r#"{{"name":"a","count":1,"labels":{{"{long}":"x"}}}}"#)),
        bad_plain(&format!(r#"{{"name":"a","count":1,"labels":{{"x":"{long}"}}}}"#)),
        bad_plain(&format!(r#"{{"name":"a","count":1,"labels":{{{}}}}}"#, labels(65))),
        bad_report(r#""counters":[{"name":"a","labels":{"x":"1","x":"2"},"value":1}]"#),
    ];
    let reasons: Vec<_> = found.iter().map(BadRecord::reason).collect();
    let expected = [
        "null_key",
        "empty_key",
        "key_not_utf8",
        "key_too_long",
        "empty_value",
        "record_too_large",
        "not_utf8",
        "invalid_json",
        "invalid_json",
        "unexpected_shape",
        "unexpected_shape",
        "unexpected_shape",
        "unexpected_shape",
        "unexpected_shape",
        "unknown_version",
        "unknown_version",
        "kind_mismatch",
        "kind_mismatch",
        "run_mismatch",
        "unsupported_type",
        "part_beyond_parts",
        "expires_without_start",
        "negative_count",
        "fractional_count",
        "count_too_large",
        "empty_name",
        "name_too_long",
        "empty_label_name",
        "label_name_too_long",
        "label_value_too_long",
        "too_many_labels",
        "duplicate_label",
    ];
    assert_eq!(reasons, expected);
    for bad in found {
        assert!(bad.to_string().len() < 400, "an error repeats a record's text: {bad}");
    }
}

#[test]
fn what_a_plain_record_declares_is_read() {
    let json = br#"{"type":"TIMER","name":"a","count":7,"start":1718800000,"baseline":true,"expires":true}"#;
    let Ok(Record::Plain { plain, .. }) = decode(Some(b"k"), Some(json)) else { panic!("the record is not read") };
    assert_eq!(plain.value, Value::Counter(7));
    assert_eq!((plain.start, plain.is_baseline, plain.expires), (Some(Millis(1_718_800_000_000)), true, true));
}

#[test]
fn a_row_of_the_former_format_has_no_log_time_and_is_not_final() {
    let run = br#"{"v":1,"row":{"offset":5,"last_seen":7,"live":false,"kind":"run","seq":3},"counters":[]}"#;
    let header = StateRow::decode(run).expect("a row of the former format").header;
    let kind = StateRowKind::Run { seq: 3, parts: 0, is_final: false, is_rebased: false };
    assert_eq!(
        header,
        StateRowHeader { offset: Offset(5), last_seen: Millis(7), log_time: Millis(0), live: false, kind }
    );
    let plain = br#"{"v":1,"row":{"offset":5,"last_seen":7,"live":true,"kind":"plain","base":"9","timestamp":null},"counters":[]}"#;
    let kind = StateRowKind::Plain { base: 9, timestamp: None, start: None, previous: None, expires: false };
    assert_eq!(StateRow::decode(plain).expect("a row of the former format").header.kind, kind);
}

#[test]
fn an_aggregate_beyond_2_to_the_53_stays_exact() {
    let aggregate = Aggregate {
        series: "a{b=\"c\"}".parse().expect("a series"),
        total: Total::Counter(i128::from(u64::MAX) * 3),
        timestamp: Millis(1_718_900_012_345),
        offset: Offset(7),
        instances: 2,
    };
    let json = aggregate.to_json();
    assert_eq!(
        String::from_utf8_lossy(&json),
        r#"{"v":1,"name":"a","labels":{"b":"c"},"type":"COUNTER","count":55340232221128654845,"timestamp":1718900012345,"offset":7,"instances":2}"#
    );
    assert_eq!(Aggregate::decode(&json), Ok(aggregate));
}

#[test]
fn a_delta_is_published_as_a_gauge() {
    let aggregate = Aggregate {
        series: "quipu_audit_delta{audit=\"auth\"}".parse().expect("a series"),
        total: Total::Delta(-3),
        timestamp: Millis(1),
        offset: Offset(2),
        instances: 0,
    };
    let json = aggregate.to_json();
    assert_eq!(
        String::from_utf8_lossy(&json),
        r#"{"v":1,"name":"quipu_audit_delta","labels":{"audit":"auth"},"type":"GAUGE","count":-3,"timestamp":1,"offset":2,"instances":0}"#
    );
    assert_eq!(Aggregate::decode(&json), Ok(aggregate));
}

fn any_series() -> impl Strategy<Value = Series> {
    let text = "\\PC{1,12}|[\u{0}-\u{1f}\"\\\\]{1,6}";
    (text, prop::collection::btree_map(text, text, 0..4))
        .prop_map(|(name, labels)| Series::new(name, labels).expect("within the limits"))
}

fn any_kind() -> impl Strategy<Value = StateRowKind> {
    let time = || prop::option::of(any::<i64>().prop_map(Millis));
    let life = (any::<i64>(), any::<u64>(), time()).prop_map(|(start, count, timestamp)| Life {
        start: Millis(start),
        count,
        timestamp,
    });
    prop_oneof![
        any::<(u64, u32, bool, bool)>().prop_map(|(seq, parts, is_final, is_rebased)| StateRowKind::Run {
            seq,
            parts,
            is_final,
            is_rebased
        }),
        (any::<i128>(), time(), time(), prop::option::of(life), any::<bool>()).prop_map(
            |(base, timestamp, start, previous, expires)| StateRowKind::Plain {
                base,
                timestamp,
                start,
                previous,
                expires
            }
        ),
    ]
}

proptest! {
    #[test]
    fn a_report_round_trips(
        instance in "\\PC{1,20}|[\u{0}-\u{1f}\"/]{1,6}", run in any::<u128>(), part in any::<u32>(), at in any::<i64>(),
        seq in any::<u64>(), interval_ms in any::<u64>(), more_parts in 0..3u32, is_final in any::<bool>(),
        counters in prop::collection::vec((any_series(), any::<u64>()), 0..6),
    ) {
        let key = RunKey { instance: &instance, run: Uuid::from_u128(run), part };
        let parts = part.saturating_add(more_parts);
        prop_assume!(parts == 0 || part < parts);
        let header = ReportHeader { instance: &instance, run: key.run, at, seq, interval_ms, parts, is_final };
        let mut writer = ReportWriter::new(&header);
        let mut at_most = ReportWriter::overhead_bytes(&instance);
        for (series, value) in &counters {
            let prefix = CounterPrefix::new(series.as_ref());
            at_most += prefix.counter_bytes();
            writer.push(&prefix, *value);
        }
        let json = writer.finish();
        prop_assert!(json.len() <= at_most, "{} > {at_most}", json.len());
        let text = key.to_string();
        let Ok(Record::Report { key: read_key, report }) = decode(Some(text.as_bytes()), Some(&json)) else {
            return Err(TestCaseError::fail(String::from_utf8_lossy(&json).into_owned()));
        };
        prop_assert_eq!(read_key, key);
        prop_assert_eq!((report.at.0, report.seq, report.interval_ms), (at, seq, interval_ms));
        prop_assert_eq!((report.parts, report.is_final), (parts, is_final));
        let read: Vec<_> = report.values().map(|(series, Value::Counter(value))| (series.to_series(), value)).collect();
        prop_assert_eq!(read, counters);
    }

    #[test]
    fn an_aggregate_round_trips(
        series in any_series(), count in any::<i128>(), timestamp in any::<i64>(), offset in any::<i64>(),
        instances in any::<u64>(), is_delta in any::<bool>(),
    ) {
        let total = if is_delta { Total::Delta(count) } else { Total::Counter(count) };
        let (timestamp, offset) = (Millis(timestamp), Offset(offset));
        let aggregate = Aggregate { series, total, timestamp, offset, instances };
        prop_assert_eq!(Aggregate::decode(&aggregate.to_json()), Ok(aggregate));
    }

    #[test]
    fn a_row_round_trips(
        times in any::<(i64, i64, i64)>(), live in any::<bool>(), kind in any_kind(),
        counters in prop::collection::vec((any_series(), any::<u64>()), 0..4),
        baseline in prop::collection::vec((any_series(), any::<u64>()), 0..4),
    ) {
        let (offset, last_seen, log_time) = (Offset(times.0), Millis(times.1), Millis(times.2));
        let header = StateRowHeader { offset, last_seen, log_time, live, kind };
        let values = |counters: &[(Series, u64)]| -> Vec<(Series, Value)> {
            counters.iter().map(|(series, value)| (series.clone(), Value::Counter(*value))).collect()
        };
        let (values, baseline) = (values(&counters), values(&baseline));
        let json = StateRow::encode(
            &header,
            values.iter().map(|(series, value)| (series.as_ref(), *value)),
            baseline.iter().map(|(series, value)| (series.as_ref(), *value)),
        );
        let row = StateRow::decode(&json).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(row.header, header);
        let read = |(series, value): (SeriesRef<'_>, Value)| (series.to_series(), value);
        prop_assert_eq!(row.values().map(read).collect::<Vec<_>>(), values);
        prop_assert_eq!(row.baseline().map(read).collect::<Vec<_>>(), baseline);
    }

    #[test]
    fn no_bytes_panic(key in prop::option::of(prop::collection::vec(any::<u8>(), 0..60)), value in prop::option::of(prop::collection::vec(any::<u8>(), 0..90))) {
        let _ = decode(key.as_deref(), value.as_deref());
        let value = value.unwrap_or_default();
        let _ = (Aggregate::decode(&value), StateRow::decode(&value).is_ok());
    }

    /// Valid records with a few bytes changed reach deeper than noise does.
    #[test]
    fn no_damaged_record_panics(report in any::<bool>(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let (key, mut value) = if report {
            (run_key(), report_json(r#""final":false,"counters":[{"name":"a","labels":{"b":"c"},"value":5}]"#).into_bytes())
        } else {
            ("k".to_owned(), br#"{"type":"COUNTER","name":"a","labels":{"b":"c"},"count":250000,"timestamp":"1718900012"}"#.to_vec())
        };
        for (index, byte) in edits {
            let at = index.index(value.len());
            value[at] = byte;
        }
        let _ = decode(Some(key.as_bytes()), Some(&value));
    }
}
