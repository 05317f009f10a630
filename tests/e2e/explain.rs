//! What a total is made of.

use std::fs;
use std::path::Path;

use quipu_testkit::{Finished, Kafka, Pipeline, eventually, plain, report, require, run};
use serde_json::Value;

use crate::QUIPU;

#[test]
fn all_parts_of_a_total_add_up_to_it() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (token, wrong) = (folder.path().join("token"), folder.path().join("wrong"));
    fs::write(&token, "s3cret").unwrap();
    fs::write(&wrong, "other").unwrap();
    let of = |file: &Path| format!("http.token_file={}", file.display());
    let pipeline = Pipeline::new(QUIPU, kafka.bootstrap());
    // With this timeout no run becomes silent, however slow the machine is.
    let settings = ["--set", "instance_timeout=1h", "--set", "retention.finished=1s", "--set", &of(&token)];
    let aggregator = pipeline.start_ready(&settings);
    let address = aggregator.address().unwrap();
    let explain = |arguments: &[&str], token: &Path| -> Finished {
        let token = of(token);
        let all = [&["explain", "--http", &address, "--set", &token], arguments].concat();
        QUIPU.start(&all).finish()
    };
    let outsider = &mut pipeline.outsider();

    // The first run finishes and expires.
    let (key, value) = report("app-1", &run(1), 1, &[("done", 100), ("failed", 1)]);
    pipeline.send([(key, value.replace(r#""final":false"#, r#""final":true,"parts":1"#))]);
    let mut seq = 0;
    let expired = eventually("the first run to expire", || {
        seq += 1;
        pipeline.send([report("app-2", &run(2), seq, &[("done", 30)])]);
        let finished = explain(&["done", "--output", "json"], &token);
        // At first there is no total.
        let explained: Value = serde_json::from_str(&finished.stdout).ok()?;
        (explained["retired"]["rows"] == 1).then_some(explained)
    });
    assert_eq!(expired["retired"]["value"], 100);
    pipeline.send([report("app-3", &run(3), 1, &[("done", 20), ("failed", 7)])]);
    // The plain key restarts.
    pipeline.send([("app-4:done", plain("done", 40)), ("app-4:done", plain("done", 2))]);
    outsider.until(&[("done", 192), ("failed", 8)]);

    let json = |limit| {
        let finished = explain(&["done", "--limit", limit, "--output", "json"], &token);
        assert_eq!(finished.status.code(), Some(0), "{finished:?}");
        serde_json::from_str::<Value>(&finished.stdout).unwrap()
    };
    let sum = |explained: &Value| {
        let parts = explained["parts"].as_array().unwrap().iter().map(|part| &part["value"]);
        let values = parts.chain([&explained["omitted"]["value"], &explained["retired"]["value"]]);
        values.map(|value| value.as_i64().unwrap()).sum::<i64>()
    };
    let all = json("100");
    assert_eq!((all["total"].as_i64(), sum(&all)), (Some(192), 192), "{all}");
    let parts: Vec<_> = all["parts"].as_array().unwrap().iter().collect();
    let value = |part: &&Value| (part["instance"].as_str().map(str::to_owned), part["value"].as_i64().unwrap());
    let expected = [(None, 42), (Some("app-2".to_owned()), 30), (Some("app-3".to_owned()), 20)];
    assert_eq!(parts.iter().map(value).collect::<Vec<_>>(), expected);
    assert_eq!(parts[0]["key"], "app-4:done");
    // The aggregator reports to the topic, too, so that the offsets are not those of the test's records alone.
    let number = |value: &Value| value.as_i64().unwrap();
    let offset = number(&parts[0]["offset"]);
    let offsets: Vec<_> = parts.iter().map(|part| number(&part["offset"])).collect();
    assert!(offsets[1] < offsets[2] && offsets[2] < offset && offset < number(&all["position"]), "{all}");
    assert!(parts.iter().all(|part| part["state"] == "live" && part["last_seen"].as_i64() > Some(0)), "{all}");
    let first = json("1");
    assert_eq!((first["parts"].as_array().unwrap().len(), &first["omitted"]["rows"]), (1, &2.into()), "{first}");
    assert_eq!(sum(&first), 192, "{first}");

    let text = explain(&["done", "--limit", "1"], &token).stdout;
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let as_of = lines[0].strip_prefix("done: 192 as of offset ").map(|offset| offset.parse::<i64>().unwrap());
    assert!(as_of >= Some(number(&all["position"]) - 1), "{text}");
    assert!(lines[3].starts_with(&format!("42 live {offset} ")) && lines[3].ends_with(" app-4:done"), "{text}");
    assert_eq!(lines[4..], ["50 2 rows beyond --limit", "100 1 row expired", "192 total"], "{text}");

    let error = |finished: Finished| {
        assert_eq!(finished.status.code(), Some(2), "{finished:?}");
        finished.stderr
    };
    let unknown = error(explain(&[r#"done{a="b"}"#], &token));
    assert!(unknown.contains(r#"there is no total of done{a="b"}; series of this name: done"#), "{unknown}");
    let refused = error(explain(&["done"], &wrong));
    assert!(refused.contains("the token is missing or wrong"), "{refused}");
    aggregator.stop();
}
