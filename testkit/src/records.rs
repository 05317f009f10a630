//! Records for `metrics` as text, as any program could write them.

use serde_json::{Value, json};

/// The id of the run with this number.
pub fn run(number: u64) -> String {
    format!("01920000-0000-7000-8000-{number:012}")
}

/// The key and the value of a run's report; its counters have no labels.
pub fn report(instance: &str, run: &str, seq: u64, counters: &[(&str, u64)]) -> (String, String) {
    let counters: Vec<Value> = counters.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let value = json!({
        "v": 1, "instance": instance, "run": run, "at": 1_718_900_012_345_u64, "seq": seq, "interval_ms": 1000,
        "final": false, "counters": counters,
    });
    (format!("{instance}/{run}"), value.to_string())
}

/// The value of a plain counter.
pub fn plain(name: &str, count: u64) -> String {
    json!({"type": "COUNTER", "name": name, "count": count}).to_string()
}
