mod meant;
mod random;
mod topics;

use quipu_config::Audit;

use super::Said;
use crate::report::Problem;
use topics::{Topics, report};

const RUN: &str = "app-1/01920000-0000-7000-8000-000000000001";
const OTHER: &str = "app-2/01920000-0000-7000-8000-000000000002";

#[test]
fn each_total_is_compared_at_the_offset_that_it_carries() {
    let mut topics = Topics::default();
    topics.report(RUN, 0, &[("a", 1), ("b", 7)]).plain("k", "a", 5).report(RUN, 1, &[("a", 3), ("b", 7)]);
    topics.says("b", 7, 0).says("a", 8, 2);
    topics.check(2, 0, &[]);
    topics.says("a", 6, 1).check(2, 0, &[]);
    topics.says("a", 8, 1);
    let report = topics.verify();
    let difference = &report.differences[0];
    assert_eq!((difference.problem, &*difference.name), (Problem::Total, "a"));
    assert_eq!((difference.expected, difference.found, difference.offset), (Some(6), Some(8), Some(1)));
}

#[test]
fn bad_and_stale_records_and_restarts_are_judged_as_the_contract_says() {
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
    topics.says("a", 10 + 130, 10);
    topics.check(1, 0, &[]);
    topics.push("k", None).says("a", 10, 11).check(1, 0, &[]);
}

#[test]
fn a_restart_with_a_timestamp_that_is_not_newer_is_stale() {
    let plain = |count: u64, timestamp: i64| {
        Some(format!(r#"{{"name":"a","count":{count},"timestamp":{timestamp}}}"#).into_bytes())
    };
    let mut topics = Topics::default();
    topics.push("k", plain(10, 1_718_900_012)).push("k", plain(3, 1_718_900_012)).push("k", plain(4, 1_718_900_013));
    topics.says("a", 10, 1).check(1, 0, &[]);
    topics.says("a", 14, 2).check(1, 0, &[]);
}

#[test]
fn a_total_that_was_not_said_again_and_one_that_was_never_said_are_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 1).plain("l", "b", 1).plain("k", "a", 2).with_changelog();
    topics.says("a", 1, 0).check(0, 0, &[Problem::Missing, Problem::Stale]);
    topics.says("a", 2, 2).says("b", 1, 1).check(2, 0, &[]);
}

#[test]
fn offsets_that_the_log_does_not_have_are_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 1).says("a", 1, 7).check(0, 0, &[Problem::BeyondLog]);
}

#[test]
fn rows_whose_records_expired_come_from_the_changelog() {
    let mut topics = Topics::default();
    topics.report(RUN, 0, &[("a", 10)]).plain("k", "b", 5).plain("k", "b", 2).plain("l", "c", 1).plain("m", "d", 4);
    topics.says("a", 10, 0).says("b", 7, 2).says("c", 1, 3).says("d", 4, 4);
    topics.check(4, 0, &[]);
    topics.with_changelog().without(&[0, 1]);
    // The changelog has the row of `a`, and the base of `b`.
    topics.check(2, 2, &[]);
    topics.says("b", 2, 2).check(2, 1, &[Problem::Total]);
    topics.changelog.clear();
    let report = topics.verify();
    assert!(report.says_nothing() && report.unanswered.len() == 4, "{report:#?}");
}

#[test]
fn a_record_that_a_later_bad_one_hid_comes_from_the_changelog() {
    let mut topics = Topics::default();
    topics.report(RUN, 3, &[("a", 10)]).report(RUN, 1, &[("a", 4)]).plain("k", "b", 1).plain("k", "b", 2);
    topics.says("a", 10, 3).says("b", 2, 3).with_changelog();
    topics.check(2, 0, &[]);
    // Compaction keeps the stale one, and what comes after it is new.
    topics.without(&[0]).check(1, 1, &[]);
    topics.report(RUN, 2, &[("a", 5)]).report(RUN, 4, &[("a", 12)]);
    topics.says("a", 10, 4).check(1, 1, &[]);
    topics.says("a", 12, 5).check(1, 1, &[]);
    topics.says("a", 5, 4).check(1, 0, &[Problem::Total]);
}

#[test]
fn a_row_of_the_changelog_that_is_not_what_the_log_says_is_found() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 5).plain("k", "a", 2).says("a", 7, 1);
    let mut other = Topics::default();
    other.plain("k", "a", 4).plain("k", "a", 2).with_changelog();
    topics.changelog = other.changelog.clone();
    topics.check(1, 0, &[Problem::Row]);
    // Without the first record nobody but the changelog knows the base, but the count is on the log.
    topics.without(&[0]).says("a", 6, 1).check(0, 1, &[]);
    other = Topics::default();
    other.plain("k", "a", 4).plain("k", "a", 3).with_changelog();
    topics.changelog = other.changelog;
    topics.says("a", 2, 1).check(1, 0, &[Problem::Row]);
}

#[test]
fn a_tombstone_outlives_what_it_removed() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 5).plain("l", "a", 1).push("k", None).plain("k", "a", 2).plain("l", "a", 3);
    topics.says("a", 5, 4).with_changelog().check(1, 0, &[]);
    topics.without(&[0, 1]).check(1, 0, &[]);
    topics.changelog.clear();
    assert_eq!(topics.verify().unanswered.len(), 1);
}

#[test]
fn audits_are_compared_with_their_sides_or_at_least_with_themselves() {
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
    topics.says("sent", 10, 0).says(r#"done{on="1",topic="x"}"#, 6, 1).says(r#"done{on="2",topic="x"}"#, 6, 2);
    topics.says(r#"done{topic="y"}"#, 6, 3);
    topics.says(r#"quipu_audit_sent{audit="x"}"#, 10, 2).says(r#"quipu_audit_processed{audit="x"}"#, 12, 2);
    topics.says(r#"quipu_audit_delta{audit="x"}"#, 2, 2);
    let report = topics.verify();
    assert_eq!((report.by_log, report.unanswered.len(), report.differences.len()), (5, 2, 0), "{report:#?}");
    topics.audits = vec![audit("x")];
    topics.check(7, 0, &[]);
    topics.says(r#"quipu_audit_sent{audit="x"}"#, 11, 2).check(6, 0, &[Problem::Total]);
    topics.audits.clear();
    topics.check(4, 0, &[Problem::Total]);
    topics.audits = vec![audit("x"), audit("y")];
    topics.with_changelog().check(6, 0, &[Problem::Total, Problem::Missing, Problem::Missing, Problem::Missing]);
}

#[test]
fn a_record_that_is_no_aggregate_and_one_under_anothers_key_are_found() {
    let mut said = Said::default();
    let mut topics = Topics::default();
    topics.says("a", 1, 0);
    let json = topics.aggregates[0].to_json();
    said.see(Some(b"a"), Some(&json));
    said.see(Some(b"b"), Some(&json));
    said.see(Some(b"c"), Some(b"{}"));
    said.see(Some(b"d"), Some(b"{}"));
    said.see(Some(b"d"), None);
    assert_eq!((said.aggregates.len(), said.unreadable.len()), (1, 2));
    said.see(Some(b"a"), Some(b"{}"));
    assert_eq!((said.aggregates.len(), said.unreadable.len()), (0, 3));
}
