//! The rules of retirement and of declared starts, each on a log of its own. All records count one series.

use quipu_record::{ForgetSeries, Millis, Series};
use rdkafka::Timestamp;
use uuid::Uuid;

use super::{Fold, LogRecord, Sum};
use crate::names::Names;
use crate::retention::Retention;
use crate::snapshot::Snapshot;

/// The time of the first record.
const BEGIN: i64 = 0x0192_0000_0000;
const RUNS: i64 = 100;
const FINISHED: i64 = 10;
/// Runs that began some time before the first record.
const RUN: &str = "app-1/0191ffff-0000-7000-8000-000000000001";
const PART: &str = "app-1/0191ffff-0000-7000-8000-000000000001/1";
const LATER: &str = "app-2/0191ffff-8000-7000-8000-000000000002";
const TIMELESS: &str = "app-3/f47ac10b-58cc-4372-a567-0e02b2c3d479";
/// It began 70 minutes after the first record.
const AHEAD: &str = "app-4/01920040-1640-7000-8000-000000000004";

struct Log {
    fold: Fold,
    offset: i64,
    now: i64,
}

/// An empty log, where silent runs expire after 100 s and finished ones after 10 s.
fn log() -> Log {
    with_limit(1000)
}

fn with_limit(max_markers: usize) -> Log {
    let seconds = |seconds| Some(Millis(1000 * seconds));
    kept_for(Retention { runs: seconds(RUNS), finished: seconds(FINISHED), max_markers })
}

fn kept_for(retention: Retention) -> Log {
    Log { fold: Fold::new(Names::default(), Snapshot::default(), retention), offset: 0, now: BEGIN }
}

fn series() -> Series {
    "a".parse().expect("a series")
}

impl Log {
    /// Applies a record at the present time of the broker.
    fn record(&mut self, key: &[u8], value: Option<&[u8]>) -> &mut Self {
        self.record_at(Timestamp::LogAppendTime(self.now), key, value)
    }

    fn record_at(&mut self, timestamp: Timestamp, key: &[u8], value: Option<&[u8]>) -> &mut Self {
        self.fold.apply(LogRecord { offset: self.offset, timestamp, key: Some(key), value });
        self.offset += 1;
        self
    }

    fn parts(&mut self, key: &str, seq: u64, count: u64, fields: &str) -> &mut Self {
        let (instance, rest) = key.split_once('/').expect("a run");
        let run = rest.split('/').next().expect("a run");
        let counters = format!(r#"[{{"name":"a","value":{count}}}]"#);
        let json = format!(
            r#"{{"v":1,"instance":"{instance}","run":"{run}","at":1,"seq":{seq},"interval_ms":1{fields},"counters":{counters}}}"#
        );
        self.record(key.as_bytes(), Some(json.as_bytes()))
    }

    fn report(&mut self, key: &str, seq: u64, count: u64) -> &mut Self {
        self.parts(key, seq, count, "")
    }

    /// A plain record of the key `k`. A start is in seconds after the first record.
    fn plain(&mut self, count: u64, start: Option<i64>, fields: &str) -> &mut Self {
        let start = start.map(|start| format!(r#","start":{}"#, BEGIN + 1000 * start)).unwrap_or_default();
        self.record(b"k", Some(format!(r#"{{"name":"a","count":{count}{start}{fields}}}"#).as_bytes()))
    }

    fn forget(&mut self) -> &mut Self {
        let key = ForgetSeries::key(Uuid::from_u128(1));
        self.record(&key, Some(&ForgetSeries { series: series() }.to_json()))
    }

    /// Lets log time pass. A gap counts as a minute at most, so there is a bad record every ten seconds.
    fn pass(&mut self, seconds: i64) -> &mut Self {
        let until = self.now + 1000 * seconds;
        while self.now < until {
            self.now = until.min(self.now + 10_000);
            self.record(b"noise", Some(b"?"));
        }
        self
    }

    #[track_caller]
    fn is(&mut self, total: i128) -> &mut Self {
        assert_eq!(self.fold.sum(&series()).count, total);
        self
    }

    /// Checks how many rows there are, and how many expired rows are in the retired sum.
    #[track_caller]
    fn has(&mut self, rows: usize, retired: u64) -> &mut Self {
        assert_eq!((self.fold.rows().count(), self.fold.retired(&series()).rows), (rows, retired));
        self
    }

    #[track_caller]
    fn has_markers(&mut self, markers: usize) -> &mut Self {
        assert_eq!(self.fold.expired().count(), markers);
        self
    }
}

#[test]
fn a_silent_run_expires_and_no_total_changes() {
    log().report(RUN, 1, 7).pass(99).has(1, 0).pass(1).has(0, 1).has_markers(1).is(7);
    // A stale report and a bad one are no sign of life; a repeated one is.
    let mut late = log();
    late.report(RUN, 5, 7).pass(60).report(RUN, 4, 9).parts(RUN, 6, 1, "").pass(40).has(0, 1);
    log().report(RUN, 5, 7).pass(60).report(RUN, 5, 7).pass(40).has(1, 0).pass(60).has(0, 1);
}

#[test]
fn the_parts_of_a_run_expire_together() {
    log().report(RUN, 1, 7).report(PART, 1, 5).pass(60).report(PART, 2, 6).pass(60).has(2, 0).is(13).pass(40).has(0, 2);
}

#[test]
fn a_run_is_finished_when_all_its_parts_are_final() {
    let last = |parts: u32| format!(r#","parts":{parts},"final":true"#);
    log().parts(RUN, 1, 7, &last(1)).pass(9).has(1, 0).pass(1).has(0, 1);
    log().parts(RUN, 1, 7, &last(2)).pass(20).has(1, 0).parts(PART, 1, 5, &last(2)).pass(9).has(2, 0).pass(1).has(0, 2);
    log().parts(RUN, 1, 7, &last(2)).parts(PART, 1, 5, r#","parts":2"#).pass(99).has(2, 0).pass(1).has(0, 2);
    // Reports without the number of parts are never finished.
    log().parts(RUN, 1, 7, r#","final":true"#).pass(99).has(1, 0).pass(1).has(0, 1);
    // A tombstone takes a part out of the run.
    let mut removed = log();
    removed.parts(RUN, 1, 7, &last(1)).parts(PART, 1, 5, "").pass(50).has(2, 0);
    removed.record(PART.as_bytes(), None).pass(1).has(0, 1).is(7);
}

#[test]
fn settings_that_are_off_expire_nothing() {
    let hour = Some(Millis(3_600_000));
    let (none, last) = (Retention { max_markers: 9, ..Retention::default() }, r#","parts":1,"final":true"#);
    kept_for(none).parts(RUN, 1, 7, last).pass(10_000).has(1, 0);
    kept_for(Retention { runs: hour, ..none }).parts(RUN, 1, 7, last).pass(3599).has(1, 0).pass(1).has(0, 1);
    kept_for(Retention { finished: hour, ..none }).parts(RUN, 1, 7, last).pass(3600).has(0, 1).has_markers(1);
    kept_for(Retention { finished: hour, ..none }).report(RUN, 1, 7).pass(10_000).has(1, 0);
}

#[test]
fn log_time_is_the_sum_of_the_gaps_between_records() {
    // A long gap counts as a minute, and a step back as nothing.
    let mut outage = log();
    outage.report(RUN, 1, 7);
    outage.now += 1_000_000;
    outage.record(b"noise", None).has(1, 0).pass(39).has(1, 0).pass(1).has(0, 1);
    let mut back = log();
    back.report(RUN, 1, 7).pass(50);
    back.now -= 40_000;
    back.record(b"noise", None).pass(49).has(1, 0).pass(1).has(0, 1);
    // The time of a writer does not count.
    let mut created = log();
    created.report(RUN, 1, 7);
    for second in 0..1000 {
        created.record_at(Timestamp::CreateTime(BEGIN + 1000 * second), b"noise", None);
    }
    created.has(1, 0).pass(99).has(1, 0).pass(1).has(0, 1);
}

#[test]
fn a_run_that_comes_back_counts_from_there() {
    let mut back = log();
    back.report(RUN, 5, 7).pass(100).has(0, 1);
    // An old report is stale; a new one begins with a baseline.
    back.report(RUN, 5, 7).has(0, 1).report(RUN, 6, 9).is(7).has(1, 1).has_markers(0).report(RUN, 7, 12).is(10);
    // So does a part that is opened later.
    back.report(PART, 1, 50).is(10).report(PART, 2, 51).is(11);
    // It expires again with what it counted since.
    back.pass(100).has(0, 3).is(11).report(RUN, 8, 12).is(11).report(RUN, 9, 13).is(12);
}

#[test]
fn a_new_series_of_a_run_with_a_baseline_counts_in_full() {
    let mut back = log();
    back.report(RUN, 5, 7).pass(100).parts(RUN, 6, 7, r#","x":0"#).is(7);
    let both =
        br#"{"v":1,"instance":"app-1","run":"0191ffff-0000-7000-8000-000000000001","at":1,"seq":7,"interval_ms":1,
        "counters":[{"name":"a","value":7},{"name":"b","value":4}]}"#;
    back.record(RUN.as_bytes(), Some(both)).is(7);
    assert_eq!(back.fold.sum(&"b".parse().expect("a series")), Sum { count: 4, rows: 1, ..Sum::default() });
    // Nothing was counted of `a` since, so the row is no member of it.
    assert_eq!(back.fold.sum(&series()).rows, 1);
}

#[test]
fn a_run_whose_marker_was_dropped_is_before_the_horizon() {
    let mut dropped = log();
    dropped.report(LATER, 5, 7).pass(100).has_markers(1).pass(99).has_markers(1).pass(1).has_markers(0);
    // Whatever its sequence number, its history is unknown, like that of a run that began even earlier.
    dropped.report(LATER, 1, 3).is(7).report(LATER, 2, 4).is(8).report(RUN, 1, 9).is(8);
    // A run that began later is new, and one without a time is never old.
    let mut newer = log();
    newer.report(RUN, 5, 7).report(TIMELESS, 5, 2).pass(200).has_markers(0).is(9);
    newer.report(LATER, 1, 3).is(12).report(TIMELESS, 6, 2).is(14);
}

#[test]
fn the_oldest_markers_go_when_there_are_too_many() {
    let mut many = with_limit(1);
    many.report(RUN, 5, 7).pass(50).report(LATER, 5, 2).pass(50).has_markers(1).pass(50).has_markers(1).is(9);
    // That of the later run is left.
    many.report(LATER, 5, 2).is(9).has(0, 2).report(RUN, 1, 7).is(9).has(1, 2);
}

#[test]
fn a_clock_that_is_ahead_does_not_move_the_horizon() {
    let mut ahead = log();
    // What began more than an hour after its record has an unknown history.
    ahead.report(AHEAD, 1, 7).is(0).report(AHEAD, 2, 9).is(2).pass(100).has(0, 1);
    ahead.pass(100).has_markers(1).pass(100).has_markers(1).report(LATER, 1, 5).is(7);
    // Later, the same clock is not too far ahead.
    ahead.pass(200).has_markers(1).pass(99).has_markers(1).pass(1).has_markers(0).is(7);
    ahead.report(RUN, 1, 3).is(7);
}

#[test]
fn a_plain_key_expires_only_if_it_may() {
    let expires = r#","expires":true"#;
    log().plain(7, Some(1), "").pass(500).has(1, 0);
    log().plain(7, Some(1), expires).pass(99).has(1, 0).pass(1).has(0, 1).is(7).has_markers(1);
    log().plain(7, Some(1), expires).plain(8, Some(1), "").pass(500).has(1, 0);
    // A record of an earlier start is a sign of life, but does not decide.
    let mut earlier = log();
    earlier.plain(7, Some(5), expires).pass(60).plain(3, Some(1), "").pass(60).has(1, 0).pass(40).has(0, 1).is(10);
    // `finished` is for runs.
    log().plain(7, Some(1), expires).pass(50).has(1, 0);
}

#[test]
fn a_plain_key_that_comes_back_counts_from_there_unless_it_declares_a_later_start() {
    let expires = r#","expires":true"#;
    let gone = || {
        let mut log = log();
        log.plain(7, Some(1), expires).pass(100).has(0, 1);
        log
    };
    gone().plain(9, Some(1), expires).is(7).plain(11, Some(1), expires).is(9).has_markers(0);
    gone().plain(9, None, "").is(7).plain(10, None, "").is(8);
    gone().plain(9, Some(2), expires).is(16).has_markers(0);
    // Without a marker the horizon decides, for keys that may expire.
    gone().pass(100).has_markers(0).plain(9, Some(1), expires).is(7);
    gone().pass(100).plain(9, Some(2), expires).is(16);
    gone().pass(100).plain(9, Some(1), "").is(16);
    // A start that is more than an hour ahead is no known history.
    log().plain(9, Some(3601), expires).is(0);
    log().plain(9, Some(3600), expires).is(9);
    log().plain(9, Some(3601), "").is(9);
}

#[test]
fn a_baseline_does_not_count() {
    let baseline = r#","baseline":true"#;
    log().plain(7, None, baseline).is(0).plain(9, None, baseline).is(2);
    // It counts for a new start only.
    log().plain(7, Some(1), "").is(7).plain(9, Some(1), baseline).is(9).plain(4, Some(2), baseline).is(9);
    log().plain(7, Some(1), "").plain(4, Some(2), baseline).plain(5, Some(2), "").is(8);
    log().plain(7, None, "").plain(4, None, baseline).is(7).plain(5, None, "").is(8);
    // An earlier start that begins with a baseline counts what comes after.
    log().plain(7, Some(5), "").plain(4, Some(1), baseline).is(7).plain(6, Some(1), "").is(9);
}

#[test]
fn starts_declare_restarts() {
    log().plain(7, Some(1), "").plain(9, Some(2), "").is(16).plain(9, Some(1), "").is(18).plain(8, Some(1), "").is(18);
    // A lower count with the same start is stale.
    log().plain(7, Some(1), "").plain(5, Some(1), "").is(7).plain(8, Some(1), "").is(8);
    // The two latest starts are kept apart; what is earlier than both is ignored.
    log().plain(7, Some(1), "").plain(1, Some(2), "").plain(2, Some(3), "").is(10).plain(9, Some(1), "").is(10);
    // A start between the two takes the place of the earlier one, which stays in the base.
    let mut between = log();
    between.plain(7, Some(1), "").plain(1, Some(5), "").is(8).plain(4, Some(3), "").is(12).plain(9, Some(1), "").is(12);
    between.plain(5, Some(3), "").is(13);
    // The first start of a key that had none.
    log().plain(7, None, "").plain(9, Some(1), "").is(9);
    log().plain(7, None, "").plain(5, Some(1), "").is(12);
    let at = |second: i64| format!(r#","timestamp":{}"#, BEGIN + 1000 * second);
    log().plain(7, None, &at(9)).plain(9, Some(10), "").is(16);
    log().plain(7, None, &at(9)).plain(5, Some(9), "").is(7).plain(9, Some(9), "").is(9);
    // Without a start a lower count is taken for a restart, and the declared one becomes the earlier one.
    log().plain(7, Some(1), "").plain(5, None, "").is(12).plain(8, Some(1), "").is(13).plain(6, None, "").is(14);
    log().plain(7, Some(1), &at(9)).plain(5, None, &at(9)).is(7).plain(8, None, "").is(8);
}

#[test]
fn a_forgotten_series_counts_from_there() {
    let mut forgotten = log();
    forgotten.report(LATER, 1, 2).pass(100).report(RUN, 1, 7).plain(5, Some(1), "").plain(4, Some(2), "").is(18);
    forgotten.forget().is(0).has(2, 0);
    assert_eq!(forgotten.fold.sum(&series()).rows, 0);
    forgotten.report(RUN, 2, 9).is(2).plain(5, Some(2), "").is(3);
    // So does the earlier start.
    forgotten.plain(9, Some(1), "").is(7);
    // A run whose series was forgotten is no run that was counted before: its other parts count in full.
    log().report(RUN, 1, 7).forget().report(PART, 1, 5).is(5);
    // A request for an unknown series does nothing.
    log().forget().is(0).report(RUN, 1, 7).is(7);
}

#[test]
fn a_tombstone_leaves_no_marker() {
    log().report(RUN, 5, 7).record(RUN.as_bytes(), None).pass(100).has_markers(0).is(0).report(RUN, 1, 7).is(7);
}
