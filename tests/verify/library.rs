//! Verifying and forgetting with a real aggregator and the embedded broker.

use std::time::{Duration, Instant, SystemTime};

use quipu_broker::EmbeddedBroker;
use quipu_config::Config;
use quipu_record::{Aggregate, Millis, Offset, Total};
use quipu_testkit::fleet::{Fleet, RESTARTED, RUN};
use quipu_verify::{Error, Forgetting, Liveness, Problem, Report, Target, verify};

use crate::{config, start};

const PATIENCE: Duration = Duration::from_secs(30);

/// Reports of two instances, one of them restarted, plain counters, and bad, stale and removed records.
fn write_reports(fleet: &Fleet) {
    fleet.count("app-9:sent", "sent", 100);
    fleet.report("app-1", RUN, 0, false, r#"{"name":"done","value":10}"#);
    fleet.report("app-1", RUN, 2, true, r#"{"name":"done","value":40},{"name":"seen","value":4}"#);
    fleet.report("app-1", RUN, 1, false, r#"{"name":"done","value":20}"#);
    fleet.report("app-1", RESTARTED, 0, true, r#"{"name":"done","value":7}"#);
    fleet.report("app-2", RUN, 0, false, r#"{"name":"done","labels":{"topic":"a"},"value":50}"#);
    fleet.send("metrics", Some("app-9:sent"), Some(b"{}"));
    fleet.count("app-9:sent", "sent", 3);
    fleet.count("app-8:gone", "gone", 3);
    fleet.send("metrics", Some("app-8:gone"), None);
}

/// Verifies until this number of totals is published.
#[track_caller]
fn verified(config: &Config, series: usize) -> Report {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = verify(config, &mut |_| {}).expect("an answer");
        // The aggregator's own counters come with its first report and change all the time.
        if !report.is_ok() || report.aggregates >= series && report.offset >= Some(9) {
            return report;
        }
        assert!(Instant::now() < deadline, "{report:#?}");
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("not so far ahead")
}

#[test]
fn an_aggregators_totals_agree_while_it_runs_and_a_falsified_one_is_found() {
    let fleet = Fleet::start();
    let config = config(&fleet.audited());
    let aggregator = start(config.clone());
    write_reports(&fleet);
    // sent, done, done by topic, seen, gone, and the three series of the audit
    let report = verified(&config, 8);
    assert_eq!(report.differences, []);
    assert_eq!((report.by_log, report.with_changelog, report.unanswered.len()), (report.aggregates, 0, 0));
    aggregator.stop().expect("a clean stop");
    let report = verified(&config, 8);
    assert_eq!(report.differences, []);
    // two runs of app-1, app-2, app-9 and the aggregator itself
    assert_eq!(report.rows, 5, "{report:#?}");

    let series = "done".parse().expect("a series");
    let total = Total::Counter(48);
    let offset = report.log_end - 1;
    let timestamp = Millis(now());
    let falsified = Aggregate { series, total, timestamp, offset: Offset(offset), instances: 1 };
    fleet.send("metrics-agg", Some("done"), Some(&falsified.to_json()));
    let report = verify(&config, &mut |_| {}).expect("an answer");
    let [difference] = &*report.differences else { panic!("{report:#?}") };
    assert_eq!((difference.problem, &*difference.name, difference.offset), (Problem::Total, "done", Some(offset)));
    assert_eq!((difference.expected, difference.found), (Some(47), Some(48)));
}

#[test]
fn a_forgotten_instance_is_subtracted_unless_it_still_reports() {
    let fleet = Fleet::start();
    let config = config(&fleet.audited());
    let aggregator = start(config.clone());
    write_reports(&fleet);
    verified(&config, 8);
    let find = |target| Forgetting::find(&config, target, &mut |_| {}).expect("the log");

    // The plain counter and the instance that did not leave are live now, and would be silent in a minute.
    for target in [Target::Instance("app-2".to_owned()), Target::Key("app-9:sent".to_owned())] {
        let found = find(target);
        assert!(matches!(found.liveness(now()), Liveness::Reporting { silent_after_ms: 30_000, .. }));
        assert_eq!(found.liveness(now() + 60_000), Liveness::Gone);
    }
    assert_eq!(find(Target::Instance("app-3".to_owned())).rows(), 0);
    assert_eq!(find(Target::Instance("app".to_owned())).rows(), 0);

    let found = find(Target::Instance("app-1".to_owned()));
    assert_eq!((found.rows(), found.liveness(now())), (2, Liveness::Gone));
    let would: Vec<_> =
        found.subtractions().into_iter().map(|part| (part.series.to_string(), part.count, part.total)).collect();
    assert_eq!(would, [("done".to_owned(), 47, 47), ("seen".to_owned(), 4, 4)]);
    let shown = found.forget(PATIENCE, &mut |_| {}).expect("it shows");
    let shown: Vec<_> = shown.into_iter().map(|aggregate| (aggregate.series.to_string(), aggregate.total)).collect();
    assert_eq!(shown, [("done".to_owned(), Total::Counter(0)), ("seen".to_owned(), Total::Counter(0))]);
    assert_eq!(find(Target::Instance("app-1".to_owned())).rows(), 0);

    let found = find(Target::Key("app-9:sent".to_owned()));
    assert_eq!(found.subtractions().first().map(|part| part.count), Some(103));
    found.forget(PATIENCE, &mut |_| {}).expect("it shows");
    assert_eq!(verified(&config, 8).differences, []);
    aggregator.stop().expect("a clean stop");
}

#[test]
fn without_an_aggregator_forgetting_fails() {
    let fleet = Fleet::start();
    write_reports(&fleet);
    let config = config(&fleet.audited());
    let found = Forgetting::find(&config, Target::Instance("app-1".to_owned()), &mut |_| {}).expect("the log");
    let error = found.forget(Duration::from_millis(200), &mut |_| {}).expect_err("no aggregator subtracts");
    assert!(error.to_string().contains("check that the aggregator runs"), "{error}");
    // No total was published, and none was committed.
    let report = verify(&config, &mut |_| {}).expect("an answer");
    assert!(report.is_ok() && report.aggregates == 0, "{report:#?}");
}

#[test]
fn the_error_names_a_missing_topic() {
    let broker = EmbeddedBroker::start().expect("a broker");
    let mut config = Config::default();
    config.kafka.brokers = broker.bootstrap_servers();
    let error = verify(&config, &mut |_| {}).expect_err("no topic");
    assert!(matches!(&error, Error::NoTopic(topic) if topic == "metrics"), "{error}");
}
