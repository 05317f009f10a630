//! The guide's examples run with a real broker, exactly as they are printed.

use std::process::Command;
use std::{env, path::Path};

use quipu_record::{Layer, Offset, OffsetRange, Record, decode};
use quipu_testkit::{Cluster, Kafka, Kcat, Outsider, Pipeline, Process, eventually, python, require};
use rdkafka::message::Message as _;

use crate::QUIPU;
use crate::book::chapter;

#[test]
fn kcat_and_python_report_as_printed() {
    let (Some(kafka), Some(_), Some(mut python)) =
        (require(Kafka::shared()), require(Kcat::find()), require(python("python")))
    else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let page = chapter("other-languages");
    let here = |block: &str| {
        let block = block
            .replace("localhost:9092", kafka.bootstrap())
            .replace("-t metrics", &format!("-t {}", pipeline.metrics));
        block.replace("\"metrics\"", &format!("\"{}\"", pipeline.metrics))
    };
    let kcat = page.blocks_of("sh").into_iter().find(|block| block.contains("kcat -P")).unwrap();
    succeed(shell(&here(&kcat)));
    let block = page.blocks_of("python").remove(0);
    assert!(block.lines().count() <= 10, "the guide promises ten lines");
    python.args(["-c", &here(&block)]);
    succeed(python);
    let block = page.blocks_of("json").remove(0).replace(",\n ", ",").replace('\n', "");
    let full = format!("kcat -P -b {} -t {} -K '\t'", kafka.bootstrap(), pipeline.metrics);
    let sent = Process::spawn(shell(&full), &format!("app-1/01920000-0000-7000-8000-000000000001\t{block}\n")).finish();
    assert!(sent.status.success(), "{sent:?}");

    // 3 from Python and 250,000 from the run.
    pipeline.outsider().until(&[("records_processed", 250_000), (r#"records_processed{topic="auth"}"#, 250_003)]);
    let log = aggregator.stop();
    assert!(!log.contains("bad record"), "{log}");
}

#[test]
fn python_reports_which_records_were_processed_as_printed() {
    let (Some(kafka), Some(mut python)) = (require(Kafka::shared()), require(python("python"))) else { return };
    let cluster = Cluster::new(kafka.bootstrap());
    let topic = cluster.create_topic("orders", 1, &[]);
    let reports = cluster.create_topic("metrics", 1, &[]);
    cluster.produce(&topic, (0..10).map(|n| (None::<&str>, Some(n.to_string()))));
    let page = chapter("ledger-reporting");
    let here = |block: String| {
        let block =
            block.replace("localhost:9092", kafka.bootstrap()).replace("\"metrics\"", &format!("\"{reports}\""));
        block.replace("\"orders\"", &format!("\"{topic}\""))
    };
    python.args(["-c", &here(page.blocks_of("python").remove(0))]);
    succeed(python);

    let mut values = Vec::new();
    for message in cluster.read_to_end(&reports) {
        let record = decode(message.key(), message.payload());
        let Ok(Record::Report { report, .. }) = &record else { panic!("{record:?}") };
        values.extend(report.ranges().map(|(series, value)| (series.to_series(), value.clone(), report.is_final)));
    }
    let [(_, first, false), (series, last, true)] = &values[..] else { panic!("{values:?}") };
    assert_eq!(series.label("topic"), Some(&*topic));
    assert!(last.continues(first));
    assert_eq!((first.committed, last.committed), (Some(Offset(0)), Some(Offset(10))));
    let ranges: Vec<_> = last.layers.as_slice().iter().flat_map(Layer::ranges).collect();
    assert_eq!(ranges, [&OffsetRange { start: Offset(0), end: Offset(10), records: 10 }]);
}

#[test]
fn the_contract_of_ranges_is_read_as_printed() {
    let block = chapter("ledger-reporting").blocks_of("json").remove(0);
    let key = "shop-1/01920000-0000-7000-8000-000000000003";
    let record = decode(Some(key.as_bytes()), Some(block.as_bytes()));
    let Ok(Record::Report { report, .. }) = &record else { panic!("{record:?}") };
    let records: Vec<_> = report.ranges().map(|(_, value)| value.layers.records()).collect();
    assert_eq!(records, [1549]);
}

#[test]
fn the_first_steps_work_as_printed() {
    let (Some(kafka), Some(_)) = (require(Kafka::start()), require(Kcat::find())) else { return };
    let page = chapter("start");
    let blocks: Vec<_> = page.blocks_of("sh").into_iter().filter(|block| block.contains("localhost:9092")).collect();
    let [aggregate, report, look] = &blocks[..] else { panic!("{blocks:?}") };
    let here = |block: &str| block.replace("localhost:9092", kafka.bootstrap());
    let folder = tempfile::tempdir().unwrap();

    // The command runs as printed, except for the port and the folder, which other programs of this machine may use.
    let mut command = shell(&format!("exec {}", here(aggregate).trim()));
    command.env("QUIPU_HTTP_LISTEN", "127.0.0.1:0").current_dir(folder.path());
    let aggregator = Process::spawn(command, "");
    let log = || aggregator.stderr_so_far();
    let topic = "metrics-agg";
    let cluster = Cluster::new(kafka.bootstrap());
    eventually("the topics", || {
        assert!(!aggregator.has_ended(), "{}", log());
        cluster.topics().contains_key(topic).then_some(())
    });
    succeed(shell(&here(report)));
    Outsider::new(&cluster, topic).until(&[("records_processed", 400_000)]);
    // The aggregator also counts its own work, so the last second may not be published yet.
    eventually("the totals to be published", || {
        let looked = Process::spawn(shell(&here(look)), "").finish();
        let published = looked.stdout.contains("\"count\":400000") && looked.stdout.contains("400,000");
        (looked.status.success() && published).then_some(())
    });
    aggregator.signal("TERM");
    assert_eq!(aggregator.finish().status.code(), Some(0));
}

/// A shell that finds the binary, and exits when a command fails.
fn shell(script: &str) -> Command {
    let binaries = Path::new(env!("CARGO_BIN_EXE_quipu")).parent().unwrap().to_str().unwrap();
    let mut command = Command::new("sh");
    command.args(["-ec", script]).env("PATH", format!("{binaries}:{}", env::var("PATH").unwrap()));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUIPU_")) {
        command.env_remove(name);
    }
    command
}

#[track_caller]
fn succeed(command: Command) {
    let finished = Process::spawn(command, "").finish();
    assert!(finished.status.success(), "{finished:?}");
}
