//! Bad records are copied to the dead-letter topic and change nothing else.

use std::collections::BTreeMap;

use quipu_testkit::{Kafka, Pipeline, count_of, eventually, plain, report, require, run};
use rdkafka::message::{Headers, Message, OwnedMessage};
use serde_json::json;

use crate::QUIPU;

const MEGABYTES: usize = 1_000_000;
/// A longer value is cut in its dead letter.
const COPIED: usize = 512 * 1024;

#[test]
fn bad_records_become_dead_letters_while_good_ones_are_counted() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    pipeline.cluster.create_topic("metrics", 1, &[("max.message.bytes", "20000000")]);
    let aggregator = pipeline.start_ready(&[]);
    let mut outsider = pipeline.outsider();
    let bad = hostile();

    // A good record is sent before and after each bad one; the last four bad records have keys that have a row.
    pipeline.send([report("app-1", &run(1), 1, &[("done", 100)])]);
    pipeline.send([("live", plain("done", 7))]);
    for (index, (key, value, _)) in bad.iter().enumerate() {
        pipeline.cluster.produce(&pipeline.metrics, [(key.as_deref(), Some(value))]);
        pipeline.send([("app-2:good", plain("good", index as u64 + 1))]);
    }
    outsider.until(&[("good", bad.len() as i128), ("done", 107)]);

    // The dead letters are readable before the totals that follow the bad records.
    let letters = pipeline.cluster.read_to_end(&pipeline.dead_letters);
    let reasons: Vec<_> = letters.iter().map(|letter| headers(letter)["quipu.reason"].clone()).collect();
    assert_eq!(reasons, bad.iter().map(|(_, _, reason)| *reason).collect::<Vec<_>>(), "{}", aggregator.log());
    for (letter, (key, value, reason)) in letters.iter().zip(&bad) {
        let headers = headers(letter);
        assert_eq!(headers["quipu.topic"], pipeline.metrics);
        assert!(!headers["quipu.error"].is_empty() && headers["quipu.offset"].parse::<u64>().is_ok(), "{headers:?}");
        assert_eq!(letter.key(), key.as_deref(), "{reason}");
        assert_eq!(letter.payload(), Some(&value[..value.len().min(COPIED)]), "{reason}");
        let whole_size = headers.get("quipu.value_bytes").cloned();
        assert_eq!(whole_size, (value.len() > COPIED).then(|| value.len().to_string()), "{reason}");
    }

    // The rows whose keys had bad records continue from their last good record.
    pipeline.send([report("app-1", &run(1), 2, &[("done", 101)])]);
    pipeline.send([("live", plain("done", 8))]);
    outsider.until(&[("done", 109)]);
    assert_eq!(outsider.totals().len(), 2);
    assert_eq!(outsider.went_back(), [""; 0]);
    aggregator.until_measured("quipu_dead_letters_total", bad.len() as u64);
    aggregator.until_measured(r#"quipu_bad_records_total{reason="negative_count"}"#, 2);
    aggregator.stop();
}

/// A key, a value, and the reason why the record is bad.
type Hostile = (Option<Vec<u8>>, Vec<u8>, &'static str);

fn hostile() -> Vec<Hostile> {
    let plain_key = || Some(b"app-9:hostile".to_vec());
    let count = |count: &str| format!(r#"{{"name":"hostile","count":{count}}}"#).into_bytes();
    let (live_key, live_report) = report("app-1", &run(1), 9, &[("done", 99)]);
    let (new_key, new_report) = report("app-3", &run(3), 1, &[("hostile", 1)]);
    let deep =
        format!(r#"{{"name":"hostile","count":1,"labels":{}0{}}}"#, r#"{"x":"#.repeat(10_000), "}".repeat(10_000));
    vec![
        (None, count("1"), "null_key"),
        (Some(Vec::new()), count("1"), "empty_key"),
        (Some(b"\xff\xfe".to_vec()), count("1"), "key_not_utf8"),
        (plain_key(), Vec::new(), "empty_value"),
        (plain_key(), (0..=255).collect(), "not_utf8"),
        (plain_key(), b"\x00\x01\x02\x1b[31m".to_vec(), "invalid_json"),
        (plain_key(), b"{\"name\":\"\xc3\x28\",\"count\":1}".to_vec(), "not_utf8"),
        (Some(new_key.into_bytes()), new_report.replace(r#""v":1"#, r#""v":2"#).into_bytes(), "unknown_version"),
        (plain_key(), count("-1"), "negative_count"),
        (plain_key(), count("1e400"), "invalid_json"),
        (plain_key(), count("1.5"), "fractional_count"),
        (plain_key(), count("18446744073709551616"), "count_too_large"),
        (plain_key(), vec![b'x'; 10 * MEGABYTES], "record_too_large"),
        (plain_key(), "[".repeat(10_000).into_bytes(), "unexpected_shape"),
        (plain_key(), r#"{"x":"#.repeat(10_000).into_bytes(), "invalid_json"),
        (plain_key(), deep.into_bytes(), "unexpected_shape"),
        (plain_key(), b"null".to_vec(), "unexpected_shape"),
        (Some(live_key.into_bytes()), live_report.into_bytes(), "counter_went_back"),
        (Some(b"live".to_vec()), count("-7"), "negative_count"),
        (Some(b"live".to_vec()), plain("other", 9).into_bytes(), "series_changed"),
        (Some(b"live".to_vec()), b"{".to_vec(), "invalid_json"),
    ]
}

fn headers(message: &OwnedMessage) -> BTreeMap<String, String> {
    let headers = message.headers().unwrap();
    headers
        .iter()
        .map(|header| (header.key.to_owned(), String::from_utf8(header.value.unwrap().to_vec()).unwrap()))
        .collect()
}

#[test]
fn hostile_names_are_published_unchanged_and_escaped_in_the_log() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&["--log-level", "debug"]);
    let mut outsider = pipeline.outsider();
    let forged = "2024-01-01T00:00:00Z ERROR forged";
    let names = [
        format!("a\n{forged}"),
        "a\r\u{1b}[2J\u{1b}]0;title\u{7}".to_owned(),
        "a\"b\\c'd`e".to_owned(),
        "cpu,host=a value=1 1718900012\nmem value=2".to_owned(),
        "# {}=,\t \u{0}\u{202e}".to_owned(),
        "größe/секунд 🪢".to_owned(),
    ];
    for (index, name) in names.iter().enumerate() {
        let labels = json!({"label": name, name.as_str(): "value"});
        let good = json!({"name": name, "labels": labels, "count": index + 1}).to_string();
        let changed = plain(&format!("not {name}"), 1);
        pipeline.send([(format!("{name}: good"), good), (format!("{name}: good"), changed)]);
    }
    let seen = eventually("all names", || {
        outsider.read_to_end();
        let mut seen: Vec<_> = outsider
            .latest()
            .values()
            .filter(|aggregate| !aggregate.series.name().starts_with("quipu_"))
            .cloned()
            .collect();
        seen.sort_by_key(count_of);
        (seen.len() == names.len()).then_some(seen)
    });
    for (aggregate, name) in seen.iter().zip(&names) {
        assert_eq!(aggregate.series.name(), name);
        let mut labels = vec![("label", name.as_str()), (name.as_str(), "value")];
        labels.sort_unstable();
        let found: Vec<_> = aggregate.series.labels().iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, labels);
    }
    let log = aggregator.stop();
    assert!(log.contains("bad record"), "{log}");
    assert!(log.lines().all(|line| !line.starts_with(forged)), "{log}");
    let writes_to_the_terminal = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!log.contains(writes_to_the_terminal), "{log:?}");
}
