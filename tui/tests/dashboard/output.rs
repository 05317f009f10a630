//! Tests the view as text and JSON.

use quipu_record::{Series, Total};
use quipu_tui::Form;

use crate::support::synthetic::{START, aggregate, report, run};
use crate::support::{Dashboard, assert_frame};

#[test]
fn plain() {
    assert_frame("plain", &Dashboard::experiment(75).report(Form::Plain));
    assert_frame("plain-empty", &Dashboard::new().report(Form::Plain));
}

#[test]
fn json_has_the_same_data_as_the_screen() {
    let text = Dashboard::experiment(75).report(Form::Json);
    assert_eq!(text.matches('\n').count(), 1, "one line");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["v"], 1);
    assert_eq!(text.matches("\"audits\":").count(), 1, "no key occurs twice");
    assert_eq!(json["verdict"]["state"], "idle");
    assert_eq!(json["runs"], serde_json::json!({"live": 2, "silent": 0, "idle": 0, "restarted": 0, "left": 1}));
    assert_eq!(json["audits"][0]["audit"], "records");
    assert_eq!(json["audits"][0]["delta"], 8_731);
    assert_eq!(json["audits"][0]["duplicates"], 8_731);
    let processed = &json["series"][0];
    assert_eq!(processed["series"], r#"records_processed{topic="auth"}"#);
    assert_eq!((&processed["total"], &processed["type"]), (&1_008_731.into(), &"COUNTER".into()));
    let runs = json["instances"]["rows"].as_array().expect("rows");
    let counts: u64 = runs.iter().filter_map(|row| row["count"].as_u64()).sum();
    assert_eq!(counts, 1_008_731);
    assert_eq!(json["events"][0]["event"], "duplicates");
    assert_eq!(json["pipeline"]["groups"][1]["lag"], 120);
    assert_frame("json", &format!("{}\n", serde_json::to_string_pretty(&json).expect("JSON")));
}

#[test]
fn counts_beyond_a_float_stay_exact() {
    let mut dashboard = Dashboard::connected();
    let of: Series = "s".parse().expect("a series");
    let count = i128::from(u64::MAX) * 3 + 1;
    dashboard.aggregates(vec![aggregate(&of, Total::Counter(count), START, 1)]);
    dashboard.tick();
    assert!(dashboard.report(Form::Json).contains(&format!("\"total\":{count},")));
    assert!(dashboard.report(Form::Plain).contains("55,340,232,221,128,654,846"));
}

#[test]
fn hostile_names_do_no_harm_in_a_text() {
    let mut dashboard = Dashboard::connected();
    let name = "a\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\n\u{2028}\u{7f}b";
    let of = Series::new(name, [(name, name)]).expect("a series");
    dashboard.metrics(vec![report(name, run(START, 1), 1, START, &[(&of, 1)], false)]);
    dashboard.aggregates(vec![aggregate(&of, Total::Counter(1), START, 1)]);
    dashboard.tick();
    for form in [Form::Plain, Form::Json] {
        let text = dashboard.report(form);
        let harmful = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}'..='\u{202e}'));
        assert!(!text.contains(harmful), "{text:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&dashboard.report(Form::Json)).expect("JSON");
    assert_eq!(json["instances"]["rows"][0]["instance"], name, "JSON has the original name");
}
