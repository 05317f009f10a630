//! Graphite's plaintext protocol: the first line of the input is a template, each other line a total.

use std::collections::BTreeSet;

use quipu_aggregator::fuzzing::graphite_line;
use quipu_config::{Node, Template};
use quipu_record::{Aggregate, Series};

use crate::clean::restore;
use crate::{Outcome, check_error, text, totals};

/// The longest node that is not cut. One that was cut is a byte longer.
const NODE_BYTES: usize = 200;
const LABELS_BYTES: usize = 2000;

pub(crate) fn check(input: &[u8]) -> Outcome {
    let Some(text) = text(input) else { return Outcome::Refused };
    let mut lines = text.split('\n');
    let template: Template = match lines.next().unwrap_or_default().parse() {
        Ok(template) => template,
        Err(error) => {
            check_error(&error, 200);
            return Outcome::Refused;
        }
    };
    assert_eq!(template.to_string().parse().as_ref(), Ok(&template));
    let totals = totals::read(lines);
    for tags in [false, true] {
        let names: BTreeSet<_> = totals.iter().map(|total| check_line(total, &template, tags)).collect();
        assert_eq!(names.len(), totals.len(), "each series has a name of its own: {names:?}");
    }
    Outcome::Accepted
}

/// Checks the line of a total, and returns the name in it.
fn check_line(total: &Aggregate, template: &Template, tags: bool) -> String {
    let mut out = b"before\n".to_vec();
    let cleaned = graphite_line(&mut out, total, template, tags);
    let line = String::from_utf8(out.split_off("before\n".len())).expect("ASCII");
    let end = format!(" {} {}\n", totals::count(&total.total), total.timestamp.0.div_euclid(1000));
    let name = line.strip_suffix(&end).expect("value and seconds");
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{line:?}");
    let (path, labels) = if tags { read_tagged(name, template) } else { read_path(name, template) };
    for node in path.split('.') {
        assert!(!node.is_empty() && node.bytes().all(|byte| Node::may_contain(byte) || byte == b':'), "{line:?}");
    }
    let is_whole = path.len() <= NODE_BYTES
        && labels.as_ref().is_some_and(|labels| tags || labels.iter().flatten().all(|part| part.len() <= NODE_BYTES));
    if is_whole {
        let stored = labels.iter().flatten().map(|[name, value]| [restore(name), restore(value)].map(Option::unwrap));
        let series = Series::new(restore(path).expect("text"), stored.map(|[name, value]| (name, value)));
        assert_eq!(series.as_ref(), Ok(&total.series), "{line:?}");
    }
    let stored: Option<Vec<_>> = labels.map(|labels| labels.into_iter().flatten().collect());
    let labels: Vec<_> = total.series.labels().iter().flat_map(|(name, value)| [name.as_ref(), value]).collect();
    let is_same = path == total.series.name() && stored == Some(labels);
    assert_eq!(cleaned, !is_same, "{line:?}");
    name.to_owned()
}

/// The node of the metric's name, and the labels unless a fingerprint replaces them.
type Parts<'a> = (&'a str, Option<Vec<[&'a str; 2]>>);

fn read_path<'a>(name: &'a str, template: &Template) -> Parts<'a> {
    let nodes: Vec<&str> = name.split('.').collect();
    let labels = nodes.len() - (template.nodes().len() - 1);
    let mut nodes = nodes.into_iter();
    let (mut path, mut parts) = (None, None);
    for node in template.nodes() {
        match node {
            Node::Text(text) => assert_eq!(nodes.next(), Some(text.as_str()), "{name}"),
            Node::Name => path = nodes.next(),
            Node::Labels => parts = Some(nodes.by_ref().take(labels).collect::<Vec<_>>()),
        }
    }
    let (path, parts) = (path.expect("a name"), parts.expect("labels"));
    assert!(path.len() <= NODE_BYTES + 1 && parts.iter().all(|part| part.len() <= NODE_BYTES + 1), "{name}");
    assert!(parts.iter().map(|part| part.len() + 1).sum::<usize>() <= LABELS_BYTES, "{name}");
    match parts.as_chunks() {
        (labels, []) => (path, Some(labels.to_vec())),
        _ => (path, None),
    }
}

fn read_tagged<'a>(name: &'a str, template: &Template) -> Parts<'a> {
    let (mut path, tags) = name.split_once(';').map_or((name, None), |(path, tags)| (path, Some(tags)));
    assert!(tags.is_none_or(|tags| tags.len() < LABELS_BYTES), "{name}");
    let texts = |nodes: &[Node]| {
        let texts = nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join(".")
    };
    let at = template.nodes().iter().position(|node| *node == Node::Name).expect("a template has a name");
    let (before, after) = (texts(&template.nodes()[..at]), texts(&template.nodes()[at..]));
    if !before.is_empty() {
        path = path.strip_prefix(&before).and_then(|rest| rest.strip_prefix('.')).expect("the template's nodes");
    }
    if !after.is_empty() {
        path = path.strip_suffix(&after).and_then(|rest| rest.strip_suffix('.')).expect("the template's nodes");
    }
    assert!(path.len() <= NODE_BYTES + 1, "{name}");
    let tags = tags.into_iter().flat_map(|tags| tags.split(';'));
    let tags: Vec<_> = tags.map(|tag| tag.split_once('=').map(<[_; 2]>::from).expect("a tag")).collect();
    assert!(tags.iter().flatten().all(|part| !part.is_empty() && !part.contains(['~', '=', '!', '^'])), "{name}");
    assert!(tags.iter().all(|[tag, _]| *tag != "name"), "{name}");
    if tags.iter().any(|[tag, _]| *tag == "quipu_series") { (path, None) } else { (path, Some(tags)) }
}
