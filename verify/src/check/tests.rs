mod events;
mod expired;
mod random;
mod records;
mod topics;

use quipu_config::Audit;

use super::Published;
use crate::report::Problem;
use topics::{Topics, report};

const RUN: &str = "app-1/01920000-0000-7000-8000-000000000001";
const OTHER: &str = "app-2/01920000-0000-7000-8000-000000000002";

#[test]
fn each_total_is_compared_at_the_offset_that_it_carries() {
    let mut topics = Topics::default();
    topics.report(RUN, 0, &[("a", 1), ("b", 7)]).plain("k", "a", 5).report(RUN, 1, &[("a", 3), ("b", 7)]);
    topics.publish("b", 7, 0).publish("a", 8, 2);
    topics.check(2, 0, &[]);
    topics.publish("a", 6, 1).check(2, 0, &[]);
    topics.publish("a", 8, 1);
    let report = topics.verify();
    let difference = &report.differences[0];
    assert_eq!((difference.problem, &*difference.name), (Problem::Total, "a"));
    assert_eq!((difference.expected, difference.found, difference.offset), (Some(6), Some(8), Some(1)));
}

#[test]
fn bad_and_stale_records_and_restarts_follow_the_contract() {
    let mut topics = Topics::default();
    topics.report(RUN, 5, &[("a", 10)]);
    topics.report(RUN, 4, &[("a", 20)]); // stale
    topics.report(RUN, 6, &[("a", 9)]); // went back
    topics.report(RUN, 6, &[("b", 9)]); // vanished
    topics.report(RUN, 6, &[("a", 11), ("a", 12)]); // twice
    topics.report(RUN, 6, &[("a", 11), ("quipu_audit_x", 1)]); // reserved
    topics.push(RUN, Some(b"{}".to_vec())); // no report
    topics.push(RUN, Some(report(OTHER, 9, &[("a", 99)]))); // another's
    topics.plain("k", "a", 100).plain("k", "b", 300).plain("k", "a", 30); // a restart, after a change of the series
    topics.publish("a", 10 + 130, 10);
    topics.check(1, 0, &[]);
    topics.push("k", None).publish("a", 10, 11).check(1, 0, &[]);
}

#[test]
fn a_restart_with_a_timestamp_that_is_not_newer_is_stale() {
    let plain = |count: u64, timestamp: i64| {
        Some(format!(r#"{{"name":"a","count":{count},"timestamp":{timestamp}}}"#).into_bytes())
    };
    let mut topics = Topics::default();
    topics.push("k", plain(10, 1_718_900_012)).push("k", plain(3, 1_718_900_012)).push("k", plain(4, 1_718_900_013));
    topics.publish("a", 10, 1).check(1, 0, &[]);
    topics.publish("a", 14, 2).check(1, 0, &[]);
}

#[test]
fn a_stale_total_and_a_missing_one_are_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 1).plain("l", "b", 1).plain("k", "a", 2).with_changelog();
    topics.publish("a", 1, 0).check(0, 0, &[Problem::Missing, Problem::Stale]);
    topics.publish("a", 2, 2).publish("b", 1, 1).check(2, 0, &[]);
}

#[test]
fn offsets_that_the_log_does_not_have_are_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 1).publish("a", 1, 7).check(0, 0, &[Problem::BeyondLog]);
}

#[test]
fn rows_whose_records_expired_come_from_the_changelog() {
    let mut topics = Topics::default();
    topics.report(RUN, 0, &[("a", 10)]).plain("k", "b", 5).plain("k", "b", 2).plain("l", "c", 1).plain("m", "d", 4);
    topics.publish("a", 10, 0).publish("b", 7, 2).publish("c", 1, 3).publish("d", 4, 4);
    topics.check(4, 0, &[]);
    topics.with_changelog().without(&[0, 1]);
    // The changelog has the row of `a` and the base of `b`.
    topics.check(2, 2, &[]);
    topics.publish("b", 2, 2).check(2, 1, &[Problem::Total]);
    topics.changelog.clear();
    let report = topics.verify();
    assert!(report.nothing_was_checked() && report.unanswered.len() == 4, "{report:#?}");
}

#[test]
fn a_record_hidden_by_a_later_stale_one_comes_from_the_changelog() {
    let mut topics = Topics::default();
    topics.report(RUN, 3, &[("a", 10)]).report(RUN, 1, &[("a", 4)]).plain("k", "b", 1).plain("k", "b", 2);
    topics.publish("a", 10, 3).publish("b", 2, 3).with_changelog();
    topics.check(2, 0, &[]);
    // Compaction keeps the stale record, and the records after it are new.
    topics.without(&[0]).check(1, 1, &[]);
    topics.report(RUN, 2, &[("a", 5)]).report(RUN, 4, &[("a", 12)]);
    topics.publish("a", 10, 4).check(1, 1, &[]);
    topics.publish("a", 12, 5).check(1, 1, &[]);
    topics.publish("a", 5, 4).check(1, 0, &[Problem::Total]);
}

#[test]
fn a_row_of_the_changelog_that_differs_from_the_log_is_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 5).plain("k", "a", 2).publish("a", 7, 1);
    let mut other = Topics::default();
    other.plain("k", "a", 4).plain("k", "a", 2).with_changelog();
    topics.changelog = other.changelog.clone();
    topics.check(1, 0, &[Problem::Row]);
    // Without the first record only the changelog has the base, but the log still has the count.
    topics.without(&[0]).publish("a", 6, 1).check(0, 1, &[]);
    other = Topics::default();
    other.plain("k", "a", 4).plain("k", "a", 3).with_changelog();
    topics.changelog = other.changelog;
    topics.publish("a", 2, 1).check(1, 0, &[Problem::Row]);
}

#[test]
fn a_tombstone_works_after_the_records_that_it_removed_are_gone() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 5).plain("l", "a", 1).push("k", None).plain("k", "a", 2).plain("l", "a", 3);
    topics.publish("a", 5, 4).with_changelog().check(1, 0, &[]);
    topics.without(&[0, 1]).check(1, 0, &[]);
    topics.changelog.clear();
    assert_eq!(topics.verify().unanswered.len(), 1);
}

#[test]
fn audits_are_compared_with_their_sides_or_at_least_with_each_other() {
    let audit = |name: &str| Audit {
        name: name.to_owned(),
        sent: "sent".parse().expect("a selector"),
        processed: r#"done{topic="x"}"#.parse().expect("a selector"),
    };
    let mut topics = Topics::default();
    topics.plain("s", "sent", 10);
    for (key, labels) in
        [("p", r#"{"topic":"x","on":"1"}"#), ("q", r#"{"topic":"x","on":"2"}"#), ("r", r#"{"topic":"y"}"#)]
    {
        topics.push(key, Some(format!(r#"{{"name":"done","labels":{labels},"count":6}}"#).into_bytes()));
    }
    topics.publish("sent", 10, 0).publish(r#"done{on="1",topic="x"}"#, 6, 1).publish(r#"done{on="2",topic="x"}"#, 6, 2);
    topics.publish(r#"done{topic="y"}"#, 6, 3);
    topics.publish(r#"quipu_audit_sent{audit="x"}"#, 10, 2).publish(r#"quipu_audit_processed{audit="x"}"#, 12, 2);
    topics.publish(r#"quipu_audit_delta{audit="x"}"#, 2, 2);
    let report = topics.verify();
    assert_eq!((report.by_log, report.unanswered.len(), report.differences.len()), (5, 2, 0), "{report:#?}");
    topics.audits = vec![audit("x")];
    topics.check(7, 0, &[]);
    topics.publish(r#"quipu_audit_sent{audit="x"}"#, 11, 2).check(6, 0, &[Problem::Total]);
    topics.audits.clear();
    topics.check(4, 0, &[Problem::Total]);
    topics.audits = vec![audit("x"), audit("y")];
    topics.with_changelog().check(6, 0, &[Problem::Total, Problem::Missing, Problem::Missing, Problem::Missing]);
}

#[test]
fn a_record_that_is_not_an_aggregate_and_one_under_another_key_are_found() {
    let mut published = Published::default();
    let mut topics = Topics::default();
    topics.publish("a", 1, 0);
    let json = topics.published.aggregates[&"a".parse().expect("a series")].to_json();
    published.see(Some(b"a"), Some(&json));
    published.see(Some(b"b"), Some(&json));
    published.see(Some(b"c"), Some(b"{}"));
    published.see(Some(b"d"), Some(b"{}"));
    published.see(Some(b"d"), None);
    assert_eq!((published.aggregates.len(), published.unreadable.len()), (1, 2));
    published.see(Some(b"a"), Some(b"{}"));
    assert_eq!((published.aggregates.len(), published.unreadable.len()), (0, 3));
}
