//! The totals as Prometheus scrapes them, in both formats: a total for each line of the input.

use std::collections::{BTreeMap, BTreeSet};

use quipu_aggregator::fuzzing::exposition;
use quipu_record::{Aggregate, Total};

use crate::clean::restore;
use crate::{Outcome, text, totals};

type Labels = Vec<(String, String)>;

pub(crate) fn check(input: &[u8]) -> Outcome {
    let Some(text) = text(input) else { return Outcome::Refused };
    let mut totals = totals::read(text.split('\n'));
    // The series of one name have one type.
    let mut counters: BTreeMap<String, bool> = BTreeMap::new();
    for total in &mut totals {
        let count = totals::count(&total.total);
        let is_counter = matches!(total.total, Total::Counter(_));
        let is_counter = *counters.entry(total.series.name().to_owned()).or_insert(is_counter);
        total.total = if is_counter { Total::Counter(count) } else { Total::Delta(count) };
    }
    for openmetrics in [false, true] {
        check_text(&exposition(&totals, openmetrics), &totals, openmetrics);
    }
    Outcome::Accepted
}

fn check_text(text: &str, totals: &[Aggregate], openmetrics: bool) {
    let text = if openmetrics { text.strip_suffix("# EOF\n").expect("the end") } else { text };
    let mut counts: BTreeMap<(&str, Labels), i128> =
        totals.iter().map(|total| ((total.series.name(), labels_of(total)), totals::count(&total.total))).collect();
    let is_counter = |total: &Aggregate| matches!(total.total, Total::Counter(_));
    let counters: BTreeMap<&str, bool> = totals.iter().map(|total| (total.series.name(), is_counter(total))).collect();
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    let mut lines = text.split_terminator('\n').peekable();
    while let Some(line) = lines.next() {
        let (family, kind) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')).expect("a family");
        assert!(families.insert(family.to_owned()), "a family of its own: {text}");
        let help = lines.next().and_then(|line| line.strip_prefix("# HELP ")?.strip_prefix(family));
        let help = help.and_then(|help| help.strip_suffix('.')).expect("a help");
        let what = if kind == "counter" {
            " Total over all instances of "
        } else {
            " Derived from the totals, and may go down: "
        };
        let name = unescape(help.strip_prefix(what).expect("what it is"), openmetrics);
        let (name, expected) = counters.get_key_value(name.as_str()).expect("the name of a total");
        assert_eq!(kind, if *expected { "counter" } else { "gauge" });
        let sample_name = if kind == "counter" && openmetrics { format!("{family}_total") } else { family.to_owned() };
        check_name(&sample_name, name, kind);
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            assert!(samples.insert(line.rsplit_once(' ').expect("a count").0.to_owned()), "one sample: {text}");
            let (sample, cleaned, rest) = read_series(line);
            assert_eq!(sample, sample_name, "{text}");
            for (label, _) in &cleaned {
                let may_start = |c: char| c.is_ascii_alphabetic() || c == '_';
                assert!(label.starts_with(may_start) && !label.starts_with("__"), "{line}");
                assert!(label.chars().all(|c| may_start(c) || c.is_ascii_digit()), "{line}");
            }
            let mut labels: Labels =
                cleaned.into_iter().map(|(label, value)| (restore(&label).expect("text"), value)).collect();
            labels.sort();
            let count = counts.remove(&(*name, labels)).unwrap_or_else(|| panic!("no total: {line}"));
            assert_eq!(rest, format!(" {count}"), "{line}");
        }
    }
    assert!(counts.is_empty(), "each total is there: {counts:?} {text}");
}

/// Whether this is the name of a sample of the metric `name`: a counter ends in `_total`.
fn check_name(sample: &str, name: &str, kind: &str) {
    let may_start = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    assert!(sample.starts_with(may_start) && sample.chars().all(|c| may_start(c) || c.is_ascii_digit()), "{sample}");
    let restored = match sample.strip_suffix("_total").filter(|_| kind == "counter") {
        Some(base) => restore(base),
        None => restore(sample),
    };
    let restored = restored.expect("text");
    assert!(restored == name || kind == "counter" && format!("{restored}_total") == name, "{sample} is not {name}");
}

fn labels_of(total: &Aggregate) -> Labels {
    total.series.labels().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Reads `name{label="value"}` or `{"name",label="value"}`, and returns the rest of the line.
pub(crate) fn read_series(line: &str) -> (String, Labels, &str) {
    let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap_or(line.len()));
    let mut name = name.to_owned();
    let mut labels = Vec::new();
    let Some(mut rest) = rest.strip_prefix('{') else { return (name, labels, rest) };
    loop {
        let part = take_part(&mut rest);
        if let Some(value) = rest.strip_prefix('=') {
            rest = value;
            labels.push((part, take_part(&mut rest)));
        } else {
            assert!(name.is_empty(), "a second name: {line}");
            name = part;
        }
        match rest.split_at(1) {
            (",", next) => rest = next,
            ("}", end) => return (name, labels, end),
            _ => panic!("',' or '}}' is missing: {line}"),
        }
    }
}

/// Takes a quoted text or an identifier.
fn take_part(rest: &mut &str) -> String {
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(['=', ',', '}']).expect("an end");
        let (part, next) = rest.split_at(end);
        *rest = next;
        return part.to_owned();
    };
    let mut is_escaped = false;
    let end = quoted.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    let (part, next) = quoted.split_at(end.expect("a closing quote"));
    *rest = &next[1..];
    unescape(part, true)
}

fn unescape(text: &str, quotes: bool) -> String {
    let mut chars = text.chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('\\') => '\\',
                Some('"') if quotes => '"',
                other => panic!("an unknown escape {other:?}: {text}"),
            },
            '"' if quotes => panic!("a quote without a backslash: {text}"),
            c => c,
        });
    }
    out
}
