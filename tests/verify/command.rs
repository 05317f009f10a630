//! `quipu verify` and `quipu forget` as scripts run them, with an aggregator and the embedded broker.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use quipu_record::{Aggregate, Millis, Offset, Total};
use quipu_testkit::Quipu;
use quipu_testkit::fleet::{AUDIT, Fleet, RESTARTED, RUN};
use serde_json::Value;

use crate::{config, start};

const PATIENCE: Duration = Duration::from_secs(60);
/// The binary of this build.
const QUIPU: Quipu = Quipu::new(env!("CARGO_BIN_EXE_quipu"));

/// What a script does with a fleet.
trait Scripted {
    fn reports(&self);
    fn quipu(&self, arguments: &[&str]) -> Finished;
    fn verified(&self, config: &str, totals: u64) -> (Option<i32>, Value);
}

impl Scripted for Fleet {
    /// Reports of one instance that was restarted and has left, of one that is still live, and of a plain counter.
    fn reports(&self) {
        self.count("app-9:sent", "sent", 100);
        self.report("app-1", RUN, 0, true, r#"{"name":"done","value":40},{"name":"seen","value":4}"#);
        self.report("app-1", RESTARTED, 0, true, r#"{"name":"done","value":7}"#);
        self.report("app-2", RUN, 0, false, r#"{"name":"done","value":50}"#);
    }

    /// Runs `quipu` with these arguments and the fleet's broker, without a terminal.
    fn quipu(&self, arguments: &[&str]) -> Finished {
        let mut command = QUIPU.command();
        command.args(arguments).args(["--brokers", &self.broker.bootstrap_servers()]).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Finished { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// The result of `quipu verify`, as soon as it confirms this number of totals or finds a difference.
    fn verified(&self, config: &str, totals: u64) -> (Option<i32>, Value) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let finished = self.quipu(&["verify", "--config", config, "--output", "json"]);
            assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
            let report: Value = serde_json::from_str(&finished.stdout).expect("JSON");
            if finished.code != Some(0) || report["by_log"].as_u64() >= Some(totals) {
                return (finished.code, report);
            }
            assert!(Instant::now() < deadline, "{report}");
        }
    }
}

#[derive(Debug)]
struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A configuration file with the audit of [`Fleet::audited`].
fn audited() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, AUDIT).expect("written");
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().expect("a path of text")
}

#[test]
fn verify_has_an_exit_code_and_a_line_for_each_difference() {
    let (fleet, file) = (Fleet::start(), audited());
    let aggregator = start(config(&fleet.audited()));
    fleet.reports();
    // sent, done, seen, and the three series of the audit
    let (code, report) = fleet.verified(path(&file), 6);
    assert_eq!(
        (code, &report["differences"], &report["unanswered"]),
        (Some(0), &Value::Array(vec![]), &Value::Array(vec![]))
    );
    aggregator.stop().expect("a clean stop");
    let right = fleet.quipu(&["verify", "--config", path(&file)]);
    assert_eq!((right.code, right.stderr.as_str()), (Some(0), ""), "{right:?}");
    assert!(right.stdout.starts_with("no difference: ") && right.stdout.lines().count() == 1, "{right:?}");

    let (_, report) = fleet.verified(path(&file), 6);
    let offset = report["log_end"].as_i64().expect("an offset") - 1;
    let series = "done".parse().expect("a series");
    let (total, timestamp) = (Total::Counter(98), Millis(1));
    let forged = Aggregate { series, total, timestamp, offset: Offset(offset), instances: 1 };
    fleet.send("metrics-agg", Some("done"), Some(&forged.to_json()));
    let wrong = fleet.quipu(&["verify", "--config", path(&file)]);
    assert_eq!((wrong.code, wrong.stderr.as_str()), (Some(1), ""), "{wrong:?}");
    let line = format!("done: expected 97, found 98, as of offset {offset}");
    assert_eq!(wrong.stdout.lines().next(), Some(line.as_str()));
    assert!(wrong.stdout.contains("\n1 difference: ") && wrong.stdout.lines().count() == 2, "{wrong:?}");
    let (code, report) = fleet.verified(path(&file), 6);
    let expected = serde_json::json!([{
        "problem": "total", "name": "done", "expected": 97, "found": 98, "offset": offset, "detail": null
    }]);
    assert_eq!((code, &report["differences"]), (Some(1), &expected));
}

#[test]
fn totals_that_can_not_be_checked_are_exit_code_2() {
    let fleet = Fleet::start();
    let nowhere = fleet.quipu(&["verify", "--set", "topics.metrics=nowhere"]);
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (Some(2), ""), "{nowhere:?}");
    assert!(nowhere.stderr.starts_with("error: there is no topic nowhere: check --brokers"), "{nowhere:?}");

    // There is a total, but no audit that would give the expected one.
    let series = r#"quipu_audit_sent{audit="x"}"#;
    let parsed = series.parse().expect("a series");
    let (total, timestamp, offset) = (Total::Counter(1), Millis(1), Offset(0));
    let aggregate = Aggregate { series: parsed, total, timestamp, offset, instances: 1 };
    fleet.count("app-9:sent", "sent", 1);
    fleet.send("metrics-agg", Some(series), Some(&aggregate.to_json()));
    let unknown = fleet.quipu(&["verify"]);
    assert_eq!((unknown.code, unknown.stderr.as_str()), (Some(2), ""), "{unknown:?}");
    assert!(
        unknown.stdout.starts_with(&format!("not answerable: {series} as of offset 0: no such audit")),
        "{unknown:?}"
    );
}

#[test]
fn forget_shows_asks_and_checks_before_it_subtracts() {
    let (fleet, file) = (Fleet::start(), audited());
    let aggregator = start(config(&fleet.audited()));
    fleet.reports();
    fleet.verified(path(&file), 6);

    // An instance that still reports is refused, even with --yes. A dry run only says so.
    let plan = "instance app-2: rows 1; these totals decrease:\n  done: 97 - 50 = 47\n";
    let refused = fleet.quipu(&["forget", "app-2", "--yes"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), plan), "{refused:?}");
    assert!(refused.stderr.contains("still reports (last ") && refused.stderr.contains("stop it"), "{refused:?}");
    let shown = fleet.quipu(&["forget", "app-2", "--dry-run"]);
    let note = shown.stdout.strip_prefix(plan).expect("the plan first");
    assert!(shown.code == Some(0) && note.starts_with("note: without --dry-run this would be refused: "), "{shown:?}");
    let plan = "instance app-1: rows 2; these totals decrease:\n  done: 97 - 47 = 50\n  seen: 4 - 4 = 0\n";
    let unasked = fleet.quipu(&["forget", "app-1"]);
    assert_eq!((unasked.code, unasked.stdout.as_str()), (Some(2), plan), "{unasked:?}");
    assert!(unasked.stderr.contains("no terminal for a confirmation: add --yes"), "{unasked:?}");
    let shown = fleet.quipu(&["forget", "app-1", "--dry-run"]);
    assert_eq!((shown.code, shown.stdout.as_str(), shown.stderr.as_str()), (Some(0), plan, ""));

    // None of these commands changed anything; otherwise the plan would differ.
    let forgotten = fleet.quipu(&["forget", "app-1", "--yes"]);
    assert_eq!((forgotten.code, forgotten.stderr.as_str()), (Some(0), ""), "{forgotten:?}");
    let rest = forgotten.stdout.strip_prefix(plan).expect("the plan first");
    let lines: Vec<_> = rest.lines().map(|line| line.split(" as of ").next().unwrap_or_default()).collect();
    assert_eq!(lines, ["done: 50", "seen: 0", "forgotten: the totals are updated"], "{rest}");
    let again = fleet.quipu(&["forget", "app-1", "--yes"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(2), ""), "{again:?}");
    assert!(again.stderr.contains("instance app-1 has no rows: `quipu top` shows"), "{again:?}");
    let (code, _) = fleet.verified(path(&file), 5);
    assert_eq!(code, Some(0));
    aggregator.stop().expect("a clean stop");
}

#[test]
fn forget_fails_if_no_aggregator_subtracts() {
    let fleet = Fleet::start();
    fleet.reports();
    let alone = fleet.quipu(&["forget", "app-1", "--yes", "--wait", "0"]);
    assert_eq!(alone.code, Some(2), "{alone:?}");
    assert!(
        alone.stderr.contains("the total of done was not published within 0 s: check that the aggregator runs"),
        "{alone:?}"
    );
}

#[test]
fn forget_removes_one_run_or_all_of_a_series() {
    let (fleet, file) = (Fleet::start(), audited());
    let aggregator = start(config(&fleet.audited()));
    fleet.reports();
    fleet.verified(path(&file), 6);

    let unknown = fleet.quipu(&["forget", "--series", "nothing", "--yes"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""), "{unknown:?}");
    assert!(unknown.stderr.contains("series nothing is unknown"), "{unknown:?}");
    // A run that still reports the series is named.
    let refused = fleet.quipu(&["forget", "--series", "done", "--yes"]);
    let plan = "series done: rows 3; these totals decrease:\n  done: 97 - 97 = 0\n";
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), plan), "{refused:?}");
    assert!(refused.stderr.contains(&format!("app-2/{RUN} still reports")), "{refused:?}");

    let run = format!("app-1/{RESTARTED}");
    let forgotten = fleet.quipu(&["forget", "--run", &run, "--yes"]);
    assert!(forgotten.stdout.contains("  done: 97 - 7 = 90\ndone: 90 as of "), "{forgotten:?}");
    let forgotten = fleet.quipu(&["forget", "--series", "seen", "--yes"]);
    assert_eq!((forgotten.code, forgotten.stderr.as_str()), (Some(0), ""), "{forgotten:?}");
    assert!(forgotten.stdout.contains("  seen: 4 - 4 = 0\nseen: 0 as of "), "{forgotten:?}");
    // The run has no other count of it, so the series is gone; a later report counts from there.
    let again = fleet.quipu(&["forget", "--series", "seen", "--yes"]);
    assert!(again.stderr.contains("series seen is unknown, or was forgotten"), "{again:?}");
    fleet.report("app-1", RUN, 1, true, r#"{"name":"done","value":41},{"name":"seen","value":6}"#);
    let (code, report) = fleet.verified(path(&file), 6);
    assert_eq!((code, &report["differences"]), (Some(0), &Value::Array(vec![])));
    let shown = fleet.quipu(&["forget", "--series", "seen", "--dry-run"]);
    assert!(shown.stdout.contains("  seen: 2 - 2 = 0\n"), "{shown:?}");
    aggregator.stop().expect("a clean stop");
}
