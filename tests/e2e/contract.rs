//! The topics, written and read with `kcat`.

use std::process::Command;

use quipu_testkit::{Kafka, Kcat, Pipeline, Process, require};
use serde_json::{Value, json};

use crate::QUIPU;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/record/examples/records.txt");

#[test]
fn kcat_writes_counts_and_reads_totals() {
    let (Some(kafka), Some(kcat)) = (require(Kafka::shared()), require(Kcat::find())) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let records = r#"
app-1:processed	{"type":"COUNTER","name":"processed","count":250000,"timestamp":"1718900012"}
app-1:failed	{"type":"COUNTER","name":"failed","count":3,"timestamp":"1718900012"}
app-2:processed	{"name":"processed","count":17}
app-2:auth	{"name":"processed","labels":{"topic":"auth"},"count":9007199254740993}
app-3:auth	{"name":"processed","labels":{"topic":"auth"},"count":1,"timestamp":1718900012345}
app-1:processed	{"type":"COUNTER","name":"processed","count":250100,"timestamp":"1718900013"}
"#;
    kcat.run(&["-b", pipeline.cluster.bootstrap(), "-P", "-t", &pipeline.metrics, "-K", "\t"], records.trim_start());

    let totals = [("failed", 3), ("processed", 250_117), (r#"processed{topic="auth"}"#, 9_007_199_254_740_994)];
    pipeline.outsider().until(&totals);
    aggregator.stop();
    let arguments = ["-b", pipeline.cluster.bootstrap(), "-C", "-t", &pipeline.aggregates, "-e", "-q", "-K", "\t"];
    let shown = kcat.run(&arguments, "");
    for (series, total) in totals {
        let last = shown.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix('\t')).next_back();
        let value: Value = serde_json::from_str(last.unwrap()).unwrap();
        assert_eq!(value["count"], json!(total), "{value}");
        assert_eq!((&value["v"], &value["type"]), (&json!(1), &json!("COUNTER")));
        assert_eq!(value["name"], json!(series.split('{').next()));
        assert!(value["offset"].is_u64() && value["timestamp"].is_u64() && value["instances"].is_u64(), "{value}");
    }
}

#[test]
fn the_examples_work_with_the_command_at_their_beginning() {
    let (Some(kafka), Some(_)) = (require(Kafka::shared()), require(Kcat::find())) else {
        return;
    };
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    let aggregator = pipeline.start_ready(&[]);
    let examples = std::fs::read_to_string(EXAMPLES).unwrap();
    let command = examples.lines().find_map(|line| line.strip_prefix("#   ")).unwrap();
    let here = [
        ("records.txt", EXAMPLES),
        ("localhost:9092", pipeline.cluster.bootstrap()),
        ("-t metrics", &format!("-t {}", pipeline.metrics)),
    ];
    let command = here.iter().fold(command.to_owned(), |command, (from, to)| {
        assert!(command.contains(from), "{command}");
        command.replace(from, to)
    });
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]);
    let sent = Process::spawn(shell, "").finish();
    assert!(sent.status.success(), "{sent:?}");

    let mut outsider = pipeline.outsider();
    outsider.until(&[
        ("errors", 3),
        // The tombstone removed the row of 250,000, and a backup job counted one.
        ("records_processed", 1),
        (r#"records_processed{topic="auth"}"#, 500_000),
        (r#"records_failed{topic="auth"}"#, 7),
    ]);
    assert_eq!(outsider.totals().len(), 4);
    let log = aggregator.stop();
    assert!(!log.contains("bad record"), "{log}");
}
