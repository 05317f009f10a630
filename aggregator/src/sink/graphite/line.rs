//! Graphite's plaintext protocol: `name value seconds`, a line each.
//!
//! A name is made from a template, in which each part of the series is a node of its own. Bytes outside
//! `A-Z a-z 0-9 _ -`, dots included, are cleaned by the rule of [`clean`](crate::sink::clean). If the labels are tags
//! (`name;label=value`), dots and colons are kept. Names that are too long for the servers end in a fingerprint.

use std::io::Write as _;

use quipu_config::{Node, Template};
use quipu_record::{Aggregate, Label, Series, Total};

use crate::sink::clean::{fingerprint, push_cleaned};

/// The longest node, and the longest name of a series with tags: with its suffix it is the name of a file.
const NODE_BYTES: usize = 200;
/// The most bytes of all labels together: the paths of Carbon and the buffers of relays are limited.
const LABELS_BYTES: usize = 2000;
/// Names that a tag can't have: Graphite uses the first for the metric's name, and Quipu the second for a fingerprint.
const TAKEN: [&str; 2] = ["name", FINGERPRINT_TAG];
const FINGERPRINT_TAG: &str = "quipu_series";

/// Appends a line. Returns whether a name or a value was cleaned.
pub(crate) fn push_line(out: &mut Vec<u8>, aggregate: &Aggregate, template: &Template, tags: bool) -> bool {
    let cleaned =
        if tags { push_tagged(out, &aggregate.series, template) } else { push_path(out, &aggregate.series, template) };
    let seconds = aggregate.timestamp.0.div_euclid(1000);
    match &aggregate.total {
        Total::Counter(count) | Total::Delta(count) => {
            // Writing to a vector can't fail.
            let _ = writeln!(out, " {count} {seconds}");
        }
    }
    cleaned
}

fn push_path(out: &mut Vec<u8>, series: &Series, template: &Template) -> bool {
    let start = out.len();
    let mut cleaned = false;
    for node in template.nodes() {
        match node {
            Node::Text(text) => push_separated(out, start, text.as_bytes()),
            Node::Name => cleaned |= push_node(out, start, series.name()),
            Node::Labels => {
                let labels_start = out.len();
                for (name, value) in series.labels() {
                    cleaned |= push_node(out, start, name);
                    cleaned |= push_node(out, start, value);
                }
                if out.len() - labels_start > LABELS_BYTES {
                    out.truncate(labels_start);
                    push_separated(out, start, format!("_h{:016x}", fingerprint_of(series.labels())).as_bytes());
                    cleaned = true;
                }
            }
        }
    }
    cleaned
}

fn push_tagged(out: &mut Vec<u8>, series: &Series, template: &Template) -> bool {
    let start = out.len();
    let mut cleaned = false;
    for node in template.nodes() {
        match node {
            Node::Text(text) => push_separated(out, start, text.as_bytes()),
            Node::Name => {
                push_separated(out, start, b"");
                let name_start = out.len();
                let name = series.name().as_bytes();
                let is_node_at =
                    |at: Option<usize>| at.and_then(|at| name.get(at)).is_some_and(|byte| is_of_node(*byte));
                // The name of a series without labels is a path, and Graphite drops an empty node of a path.
                cleaned |= push_cleaned(out, series.name(), |at, byte| match byte {
                    b'.' => is_node_at(at.checked_sub(1)) && is_node_at(at.checked_add(1)),
                    byte => is_of_tag(byte),
                });
                cleaned |= cut(out, name_start, series.name());
            }
            Node::Labels => {}
        }
    }
    let tags_start = out.len();
    for (name, value) in series.labels() {
        out.push(b';');
        let taken = TAKEN.contains(&name.as_ref());
        cleaned |= push_cleaned(out, name, |at, byte| is_of_tag(byte) && !(at == 0 && taken));
        out.push(b'=');
        cleaned |= push_cleaned(out, value, |_, byte| is_of_tag(byte));
    }
    if out.len() - tags_start > LABELS_BYTES {
        out.truncate(tags_start);
        let _ = write!(out, ";{FINGERPRINT_TAG}={:016x}", fingerprint_of(series.labels()));
        cleaned = true;
    }
    cleaned
}

fn push_separated(out: &mut Vec<u8>, start: usize, node: &[u8]) {
    if out.len() > start {
        out.push(b'.');
    }
    out.extend_from_slice(node);
}

fn push_node(out: &mut Vec<u8>, start: usize, text: &str) -> bool {
    push_separated(out, start, b"");
    let node_start = out.len();
    let cleaned = push_cleaned(out, text, |_, byte| is_of_node(byte));
    cut(out, node_start, text) || cleaned
}

/// Cuts the node for `text` that begins at `start` if it is too long, and ends it in a fingerprint. Returns whether it was
/// cut.
///
/// A node that was cut is longer than any that was not, so that the two can't be equal.
fn cut(out: &mut Vec<u8>, start: usize, text: &str) -> bool {
    if out.len() - start <= NODE_BYTES {
        return false;
    }
    let suffix = format!("_h{:016x}", fingerprint(text.as_bytes()));
    out.truncate(start + NODE_BYTES + 1 - suffix.len());
    out.extend_from_slice(suffix.as_bytes());
    true
}

fn fingerprint_of(labels: &[Label<'_>]) -> u64 {
    let mut text = Vec::new();
    for part in labels.iter().flat_map(|(name, value)| [name, value]) {
        text.extend_from_slice(part.as_bytes());
        // UTF-8 has no such byte.
        text.push(0xff);
    }
    fingerprint(&text)
}

fn is_of_node(byte: u8) -> bool {
    Node::may_contain(byte)
}

fn is_of_tag(byte: u8) -> bool {
    is_of_node(byte) || byte == b'.' || byte == b':'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::clean::restore;
    use crate::sink::tests::series;

    fn line(series: &Series, template: &str, tags: bool) -> (String, bool) {
        let mut out = Vec::new();
        let aggregate = Aggregate {
            series: series.clone(),
            total: Total::Delta(-5),
            timestamp: quipu_record::Millis(1_718_900_012_999),
            offset: quipu_record::Offset(1),
            instances: 1,
        };
        let cleaned = push_line(&mut out, &aggregate, &template.parse().expect("a template"), tags);
        let line = String::from_utf8(out).expect("ASCII");
        (line.strip_suffix(" -5 1718900012\n").expect("value and time").to_owned(), cleaned)
    }

    #[track_caller]
    fn check(series: &str, template: &str, path: &str, tagged: &str) {
        let series = series.parse().expect("a series");
        assert_eq!(line(&series, template, false).0, path);
        assert_eq!(line(&series, template, true).0, tagged);
    }

    #[test]
    fn each_part_of_a_series_is_a_node_or_a_tag() {
        let default = Template::default().to_string();
        check("records", &default, "quipu.records", "quipu.records");
        check(
            r#"records{topic="auth",zone="a-1"}"#,
            &default,
            "quipu.records.topic.auth.zone.a-1",
            "quipu.records;topic=auth;zone=a-1",
        );
        check(
            r#"{"a.b",k="../x;y=z"}"#,
            &default,
            "quipu.a_x2Eb.k._x2E_x2E_x2Fx_x3By_x3Dz",
            "quipu.a.b;k=.._x2Fx_x3By_x3Dz",
        );
        check(r#"{"a..b."}"#, &default, "quipu.a_x2E_x2Eb_x2E", "quipu.a_x2E_x2Eb_x2E");
        check(r#"a{name="n"}"#, "{labels}.x.{name}", "name.n.x.a", "x.a;_x6Eame=n");
    }

    #[test]
    fn a_name_that_is_too_long_ends_in_a_fingerprint() {
        let long = |last: &str| Series::new("a", [("k", "v".repeat(999) + last)]).expect("a series");
        let (one, cleaned) = line(&long("1"), "{name}.{labels}", false);
        assert!(cleaned && one.len() == "a.k.".len() + NODE_BYTES + 1, "{one}");
        assert_ne!(line(&long("2"), "{name}.{labels}", false).0, one);
        for tags in [false, true] {
            let name = |last: &str| Series::new("n/".repeat(125) + last, [("k", "v")]).expect("a series");
            let (one, cleaned) = line(&name("1"), "x.{name}.{labels}", tags);
            let (node, rest) = one["x.".len()..].split_at(NODE_BYTES + 1);
            assert!(cleaned && (node.len(), rest) == (NODE_BYTES + 1, if tags { ";k=v" } else { ".k.v" }), "{one}");
            assert_ne!(line(&name("2"), "x.{name}.{labels}", tags).0, one);
            let longest = Series::new("n".repeat(NODE_BYTES), [("k", "v")]).expect("a series");
            assert!(!line(&longest, "x.{name}.{labels}", tags).1, "it fits");
        }
        let many = Series::new("a", (0..64).map(|at| (format!("k{at}"), "v".repeat(99)))).expect("a series");
        assert_eq!(line(&many, "{name}.{labels}", false).0.len(), "a._h".len() + 16);
        assert_eq!(line(&many, "{name}.{labels}", true).0.len(), "a;quipu_series=".len() + 16);
    }

    proptest! {
        #[test]
        fn a_hostile_series_is_one_safe_line_and_reads_back(series in series()) {
            let (path, cleaned) = line(&series, "{name}.{labels}", false);
            prop_assert!(path.bytes().all(|byte| is_of_node(byte) || byte == b'.'), "{}", path);
            let nodes: Vec<_> = path.split('.').map(|node| restore(node.as_bytes())).collect();
            let labels = nodes[1..].chunks(2).map(|label| (label[0].clone(), label[1].clone()));
            prop_assert_eq!(Series::new(nodes[0].clone(), labels), Ok(series.clone()));
            prop_assert_eq!(cleaned, nodes.join(".") != path);

            let (tagged, _) = line(&series, "{name}.{labels}", true);
            let mut parts = tagged.split(';');
            let name = restore(parts.next().expect("a name").as_bytes());
            let labels = parts.map(|tag| {
                let (name, value) = tag.split_once('=').expect("a tag");
                (restore(name.as_bytes()), restore(value.as_bytes()))
            });
            prop_assert_eq!(Series::new(name, labels), Ok(series));
        }
    }
}
