//! What is kept of expired rows, compared with the log, or taken from the changelog where the log lacks records. Rows
//! expire after 20 s.

use quipu_record::{Offset, RetiredSum, StateKey, StatePosition, StateRetired};

use super::topics::{Topics, report, with_parts};
use super::{OTHER, RUN};
use crate::report::{NotByLog, Problem, Report};

/// A run that expired, and one that did not.
fn expired() -> Topics {
    let mut topics = Topics::expiring(20, 10);
    topics.report(RUN, 5, &[("a", 7)]).pass(10).report(OTHER, 1, &[("a", 2), ("b", 1)]).pass(10);
    topics.report(OTHER, 2, &[("a", 3), ("b", 1)]).with_changelog().publish_now("a", 10).publish_now("b", 1);
    topics
}

fn not_by_log(report: &Report) -> Vec<NotByLog> {
    report.not_by_log.clone()
}

#[test]
fn a_whole_log_proves_the_retired_sums() {
    let topics = expired();
    topics.check(2, 0, &[]);
    let report = topics.verify();
    assert_eq!((report.retired, report.expired_otherwise, not_by_log(&report)), (1, false, vec![]), "{report:#?}");
}

#[test]
fn a_wrong_retired_sum_is_found() {
    let mut topics = expired();
    let sum = StateRetired { sum: RetiredSum::Counter(8), rows: 1 };
    topics.changelog.push((StateKey::Retired("a").encode(), Some(sum.encode())));
    topics.published.aggregates.clear();
    topics.publish_now("a", 11).publish_now("b", 1);
    let report = topics.verify();
    let retired = report.differences.iter().find(|difference| difference.problem == Problem::Retired);
    let retired = retired.expect("a difference");
    assert_eq!((&*retired.name, retired.expected, retired.found), ("a", Some(7), Some(8)), "{report:#?}");
    // Where the record of the expired row is gone, only the changelog has the sum.
    topics.without(&[0]).check(1, 1, &[]);
    topics.publish_now("a", 10).check(1, 0, &[Problem::Total]);
}

#[test]
fn a_compacted_log_needs_the_changelog_for_retired_sums_and_says_so() {
    let mut topics = expired();
    topics.without(&[0]).check(1, 1, &[]);
    let report = topics.verify();
    let expected = NotByLog { series: "a".to_owned(), rows: 0, retired_rows: 1 };
    assert_eq!((report.retired, not_by_log(&report)), (0, vec![expected]), "{report:#?}");
    // Without a changelog nothing is known of the expired row.
    topics.changelog.clear();
    assert_eq!(topics.verify().unanswered.len(), 2);
}

#[test]
fn log_time_markers_and_the_horizon_are_restored() {
    let marked = || {
        let mut topics = expired();
        topics.without(&[0, 1]);
        topics
    };
    // The expired run comes back: there is a marker.
    let mut topics = marked();
    topics.report(RUN, 5, &[("a", 7)]).report(RUN, 6, &[("a", 9)]).report(RUN, 7, &[("a", 10)]);
    topics.publish_now("a", 11).publish_now("b", 1).check(1, 1, &[]);
    // The other run expires 20 s after its last report, which was before the changelog was read.
    let mut topics = marked();
    topics
        .pass(19)
        .push("noise", None)
        .report(OTHER, 3, &[("a", 4), ("b", 1)])
        .publish_now("a", 11)
        .publish_now("b", 1);
    topics.check(1, 1, &[]);
    let mut topics = marked();
    topics
        .pass(20)
        .push("noise", None)
        .report(OTHER, 3, &[("a", 4), ("b", 1)])
        .publish_now("a", 10)
        .publish_now("b", 1);
    topics.check(1, 1, &[]);
    // The marker is dropped 20 s after the run expired; then the horizon has the time at which the run began.
    let mut topics = marked();
    topics.pass(20).push("noise", None).report(RUN, 1, &[("a", 9)]).publish_now("a", 10).publish_now("b", 1);
    topics.check(1, 1, &[]);
    // The horizon itself, and the marker of the other run.
    let mut topics = Topics::expiring(20, 10);
    topics.report(RUN, 5, &[("a", 7)]).pass(20).report(OTHER, 1, &[("a", 2)]).pass(20).push("noise", None);
    topics.with_changelog().without(&[0, 1]).report(RUN, 1, &[("a", 9)]).report(OTHER, 2, &[("a", 3)]);
    topics.publish_now("a", 9).check(0, 1, &[]);
}

#[test]
fn a_row_that_neither_expired_nor_is_in_the_changelog_is_found() {
    let mut topics = Topics::expiring(20, 10);
    topics.plain("k", "b", 1).plain("k", "b", 2);
    let lost = with_parts(&report(RUN, 1, &[("a", 7)]), 1, false);
    topics.push(RUN, Some(lost)).with_changelog();
    topics.changelog.push((RUN.into(), None));
    topics.publish_now("b", 2);
    // Both without and with all records of the log.
    assert!(topics.verify().differences.iter().any(|difference| difference.problem == Problem::Retired));
    topics.without(&[0]).check(1, 0, &[Problem::Row]);
}

#[test]
fn another_retention_changes_no_total() {
    let mut topics = expired();
    topics.retention = Topics::default().retention;
    topics.check(1, 1, &[]);
    assert!(topics.verify().expired_otherwise);
    // Rows that only the log lets expire.
    let mut topics = Topics::default();
    topics.report(RUN, 5, &[("a", 7)]).pass(30).report(OTHER, 1, &[("a", 2)]).with_changelog().publish_now("a", 9);
    topics.check(1, 0, &[]);
    topics.retention = Topics::expiring(20, 10).retention;
    topics.check(0, 1, &[]);
    assert!(topics.verify().expired_otherwise);
}

#[test]
fn a_changelog_of_the_former_format_has_no_log_time() {
    let mut topics = Topics::expiring(20, 10);
    topics.report(RUN, 5, &[("a", 7)]).pass(5).plain("k", "b", 3).plain("k", "b", 1);
    let run = r#"{"v":1,"row":{"offset":0,"last_seen":1,"live":true,"kind":"run","seq":5},"counters":[{"name":"a","value":7}]}"#;
    let plain = r#"{"v":1,"row":{"offset":2,"last_seen":1,"live":true,"kind":"plain","base":"3","timestamp":null},"counters":[{"name":"b","value":1}]}"#;
    topics.changelog.push((RUN.into(), Some(run.into())));
    topics.changelog.push((b"k".into(), Some(plain.into())));
    let position = StatePosition { position: Offset(3) };
    topics.changelog.push((StatePosition::KEY.into(), Some(position.encode())));
    // Log time begins at the position, so the run is not silent for 20 s yet.
    topics.pass(18).push("noise", None).report(RUN, 6, &[("a", 9)]).publish_now("a", 9).publish_now("b", 4);
    topics.check(2, 0, &[]);
    assert!(!topics.verify().expired_otherwise);
    topics.without(&[0, 1]).check(0, 2, &[]);
}

#[test]
fn a_series_that_was_removed_since_is_not_missing() {
    let mut topics = Topics::default();
    topics.plain("k", "a", 1).with_changelog().push("k", None).publish_now("a", 0);
    topics.published.see(Some(b"a"), None);
    topics.check(0, 0, &[]);
    // It was removed before the row came.
    let mut topics = Topics::default();
    topics.plain("k", "a", 1).push("k", None).publish_now("a", 0).plain("k", "a", 2).with_changelog();
    topics.published.see(Some(b"a"), None);
    topics.check(0, 0, &[Problem::Missing]);
}
