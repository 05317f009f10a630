//! The totals as Prometheus scrapes them: OpenMetrics text, or the older text format for those who don't ask for it.
//!
//! A counter ends in `_total` once. A name or a label that Prometheus can't have is cleaned by the rule of the sinks
//! (`_xHH` for each byte). If there are both `records` and `records_total`, the latter is `records_x5Ftotal_total`.
//!
//! Quipu's own counters are left out, because each process serves its own on `/metrics`: the same name would otherwise mean
//! one process in one place and the fleet in another.

use std::borrow::Cow;
use std::fmt::Write as _;

use quipu_record::{Total, limits};

use super::view::Entry;
use crate::sink::push_cleaned;

const TOTAL: &str = "_total";
/// How the names of Quipu's own series begin.
const OWN: &str = "quipu_";

/// Whether a series is of the fleet's programs, or derived from their totals.
pub(crate) fn is_of_fleet(name: &str) -> bool {
    !name.starts_with(OWN) || name.starts_with(limits::RESERVED_PREFIX)
}

/// Text that entries are appended to, sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
    /// The name of the last entry.
    name: Option<String>,
    /// The name of its samples, with which their lines begin.
    sample: String,
    openmetrics: bool,
}

impl Exposition {
    pub(crate) fn new(openmetrics: bool) -> Self {
        Self { openmetrics, ..Self::default() }
    }

    pub(crate) fn content_type(&self) -> &'static str {
        if self.openmetrics {
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        } else {
            "text/plain; version=0.0.4; charset=utf-8"
        }
    }

    pub(crate) fn push(&mut self, entry: &Entry) {
        if self.name.as_deref() != Some(entry.series.name()) {
            self.begin(entry);
        }
        self.text.push_str(&self.sample);
        for (index, (name, value)) in entry.series.labels().iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            // Names that begin with two underscores are Prometheus' own. A byte that is cleaned becomes an underscore, too.
            let is_kept = |at: usize, byte: u8| is_of_name(at, byte) && byte != b':';
            let is_taken = matches!(name.as_bytes(), [b'_', second, ..] if *second == b'_' || !is_kept(1, *second));
            let keep = |at: usize, byte: u8| is_kept(at, byte) && !(at == 0 && is_taken);
            self.text.push_str(&cleaned(name, keep));
            self.text.push_str("=\"");
            push_escaped(&mut self.text, value, true);
            self.text.push('"');
        }
        if !entry.series.labels().is_empty() {
            self.text.push('}');
        }
        match entry.published.total {
            Total::Counter(count) | Total::Delta(count) => {
                // Writing to a string can't fail.
                let _ = writeln!(self.text, " {count}");
            }
        }
    }

    pub(crate) fn finish(mut self) -> String {
        if self.openmetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn begin(&mut self, entry: &Entry) {
        let name = entry.series.name();
        let (family, suffix, kind, help) = match entry.published.total {
            Total::Counter(_) => (family(name, entry.is_clash), TOTAL, "counter", "Total over all instances of"),
            Total::Delta(_) => {
                // The samples of the counter of the name before `_total` have this name.
                let family = if entry.is_clash { family(name, true) } else { cleaned(name, is_of_name) };
                (family, "", "gauge", "Derived from the totals, and may go down:")
            }
        };
        self.sample.clear();
        self.sample.push_str(&family);
        self.sample.push_str(suffix);
        // The older format calls a family by the name of its samples.
        let family = if self.openmetrics { &*family } else { &*self.sample };
        let _ = writeln!(self.text, "# TYPE {family} {kind}");
        let _ = write!(self.text, "# HELP {family} {help} ");
        push_escaped(&mut self.text, name, self.openmetrics);
        self.text.push_str(".\n");
        self.name = Some(name.to_owned());
    }
}

fn family(name: &str, is_clash: bool) -> Cow<'_, str> {
    match name.strip_suffix(TOTAL) {
        Some(base) if is_clash => Cow::Owned(format!("{}_x5Ftotal", cleaned(base, is_of_name))),
        Some(base) if !base.is_empty() => cleaned(base, is_of_name),
        _ => cleaned(name, is_of_name),
    }
}

fn cleaned(name: &str, keep: impl Fn(usize, u8) -> bool) -> Cow<'_, str> {
    let mut out = Vec::with_capacity(name.len());
    if push_cleaned(&mut out, name, keep) {
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    } else {
        Cow::Borrowed(name)
    }
}

fn is_of_name(at: usize, byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':' || (at > 0 && byte.is_ascii_digit())
}

fn push_escaped(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use proptest::prelude::*;
    use quipu_record::{Aggregate, Series};

    use super::super::tests::total;
    use super::super::view::View;
    use super::*;
    use crate::sink::tests::series;

    fn text(openmetrics: bool, totals: &[Aggregate]) -> String {
        let view = View::default();
        view.update(quipu_record::Offset(1), totals, &[]);
        let mut exposition = Exposition::new(openmetrics);
        for entry in view.page(Bound::Unbounded, usize::MAX).expect("ready").entries {
            exposition.push(&entry);
        }
        exposition.finish()
    }

    #[test]
    fn a_family_has_its_type_once_and_counters_end_in_total_once() {
        let totals = [
            total(r#"records{topic="auth"}"#, 3),
            total(r#"records{topic="b\"\\\n"}"#, 4),
            total("sent_total", 1 << 60),
            Aggregate { total: Total::Delta(-5), ..total(r#"quipu_audit_delta{audit="x"}"#, 0) },
        ];
        assert_eq!(
            text(true, &totals),
            r#"# TYPE quipu_audit_delta gauge
# HELP quipu_audit_delta Derived from the totals, and may go down: quipu_audit_delta.
quipu_audit_delta{audit="x"} -5
# TYPE records counter
# HELP records Total over all instances of records.
records_total{topic="auth"} 3
records_total{topic="b\"\\\n"} 4
# TYPE sent counter
# HELP sent Total over all instances of sent_total.
sent_total 1152921504606846976
# EOF
"#
        );
        assert!(text(false, &totals).contains("# TYPE records_total counter\n"));
        assert!(!text(false, &totals).contains("EOF"));
    }

    #[test]
    fn quipus_own_counters_are_not_of_the_fleet_but_audits_are() {
        let of_fleet = ["quipu_audit_sent", "quipu_audit_delta", "records", "quipu", "my_quipu_total"];
        assert!(of_fleet.into_iter().all(is_of_fleet));
        assert!(!["quipu_records_total", "quipu_sink_points_total", "quipu_audits"].into_iter().any(is_of_fleet));
    }

    #[test]
    fn names_that_would_be_equal_stay_different() {
        let text = text(
            true,
            &[
                total("a", 1),
                total("a_total", 2),
                total("a_total_total", 3),
                total(r#"{"a.b"}"#, 4),
                total(r#"{"1a"}"#, 5),
            ],
        );
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            ["_x31a_total 5", "a_total 1", "a_x2Eb_total 4", "a_x5Ftotal_total 2", "a_total_x5Ftotal_total 3"]
        );
    }

    #[test]
    fn a_gauge_does_not_have_the_name_of_a_counters_samples() {
        let text = text(false, &[total("a", 1), Aggregate { total: Total::Delta(2), ..total("a_total", 2) }]);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, ["a_total 1", "a_x5Ftotal 2"]);
    }

    #[test]
    fn no_label_begins_with_two_underscores() {
        let text = text(true, &[total(r#"{"a",__name__="1","_:b"="2","_é"="3",_c="4"}"#, 1)]);
        assert!(text.contains(r#"a_total{_x5F_x3Ab="2",_x5F_name__="1",_c="4",_x5F_xC3_xA9="3"} 1"#), "{text}");
    }

    proptest! {
        #[test]
        fn each_hostile_series_is_one_sample_of_its_own(all in prop::collection::btree_set(series(), 0..8)) {
            let totals: Vec<_> = all.iter().map(|series: &Series| Aggregate { series: series.clone(), ..total("a", 1) }).collect();
            for openmetrics in [true, false] {
                let text = text(openmetrics, &totals);
                let samples: std::collections::BTreeSet<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
                prop_assert_eq!(samples.len(), all.len());
                for sample in samples {
                    let name = sample.split(['{', ' ']).next().unwrap_or_default();
                    prop_assert!(name.bytes().enumerate().all(|(at, byte)| is_of_name(at, byte)), "{}", sample);
                    prop_assert!(name.ends_with(TOTAL) && sample.ends_with(" 1"), "{}", sample);
                }
            }
        }
    }
}
