//! The algebra compared with arrays that have an element for each offset.

use proptest::prelude::*;

use super::*;
use crate::Offset;

const OFFSETS: i64 = 60;

fn span(start: i64, end: i64) -> Span {
    Span::new(Offset(start), Offset(end))
}

fn any_span() -> impl Strategy<Value = Span> {
    (0..OFFSETS, 0..8_i64).prop_map(|(start, size)| span(start, (start + size).min(OFFSETS)))
}

fn offsets(span: Span) -> impl Iterator<Item = usize> {
    (span.start.0..span.end.0).map(|offset| usize::try_from(offset).expect("an offset of the test"))
}

/// The maximal spans of the offsets that are in the set.
fn islands(set: &[bool]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (offset, _) in (0..).zip(set).filter(|(_, is_in)| **is_in) {
        match spans.last_mut() {
            Some(last) if last.end == Offset(offset) => last.end = last.end.next(),
            _ => spans.push(Span::one(Offset(offset))),
        }
    }
    spans
}

/// What may be joined in a test: ranges that touch or have only skipped offsets between them, but not at a barrier.
#[derive(Debug)]
struct Joins {
    skipped: Vec<bool>,
    barriers: Vec<i64>,
}

impl Joins {
    fn joins(&self, gap: Span) -> bool {
        let crosses = self.barriers.iter().any(|barrier| (gap.start.0..=gap.end.0).contains(barrier));
        !crosses && offsets(gap).all(|offset| self.skipped[offset])
    }

    /// The spans of the records within a span, split at the barriers.
    fn parts(&self, span: Span) -> Vec<Span> {
        let mut parts = islands(&self.skipped.iter().map(|skipped| !skipped).collect::<Vec<_>>());
        for barrier in self.barriers.iter().copied().map(Offset) {
            let halves = |part: Span| {
                [Span::new(part.start, part.end.min(barrier)), Span::new(part.start.max(barrier), part.end)]
            };
            parts = parts.into_iter().flat_map(halves).filter(|part| !part.is_empty()).collect();
        }
        parts.into_iter().map(|part| part.intersection(span)).filter(|part| !part.is_empty()).collect()
    }

    /// A layer of the offsets in the set, made in one go.
    fn layer(&self, set: &[bool]) -> Layer {
        let mut ranges: Vec<OffsetRange> = Vec::new();
        for offset in (0..).map(Offset).zip(set).filter_map(|(offset, is_in)| is_in.then_some(offset)) {
            match ranges.last_mut() {
                Some(last) if self.joins(Span::new(last.end, offset)) => {
                    *last = OffsetRange { start: last.start, end: offset.next(), records: last.records + 1 };
                }
                _ => ranges.push(OffsetRange::full(Span::one(offset))),
            }
        }
        Layer::new(ranges)
    }
}

fn any_joins() -> impl Strategy<Value = Joins> {
    let skipped = prop::collection::vec(prop::bool::weighted(0.2), usize::try_from(OFFSETS).expect("it fits"));
    (skipped, prop::collection::vec(0..OFFSETS, 0..4)).prop_map(|(skipped, barriers)| Joins { skipped, barriers })
}

/// Processes the records of a span. There is none at a skipped offset.
fn process(span: Span, joins: &Joins, counts: &mut [u64], layers: &mut Layers, merged: bool) -> bool {
    for offset in offsets(span).filter(|offset| !joins.skipped[*offset]) {
        counts[offset] += 1;
    }
    let add = |part: Span| layers.add(part, merged, &|gap| joins.joins(gap));
    joins.parts(span).into_iter().map(add).fold(true, |complete, added| complete & added)
}

fn none() -> Vec<u64> {
    vec![0; usize::try_from(OFFSETS).expect("it fits")]
}

#[test]
fn a_range_is_split_where_its_records_are_known() {
    let split = |range: OffsetRange, at: i64| {
        let mut layer = Layer::new(vec![range]);
        layer.split(Offset(at));
        layer.ranges().iter().map(|range| (range.start.0, range.end.0, range.records)).collect::<Vec<_>>()
    };
    let range = OffsetRange { start: Offset(10), end: Offset(20), records: 7 };
    assert_eq!(split(range, 15), [(10, 15, 2), (15, 20, 5)]);
    assert_eq!(split(range, 13), [(10, 20, 7)], "all 7 may be on the right");
    assert_eq!(split(range, 10), [(10, 20, 7)]);
    assert_eq!(split(range, 20), [(10, 20, 7)]);
    assert_eq!(split(OffsetRange::full(span(10, 20)), 11), [(10, 11, 1), (11, 20, 9)]);
}

#[test]
fn there_are_at_most_so_many_layers() {
    let mut layers = Layers::default();
    let complete = (0..=Layers::MOST).map(|_| layers.add(span(5, 7), false, &|_| true)).filter(|complete| *complete);
    assert_eq!(complete.count(), Layers::MOST);
    assert_eq!(layers.as_slice().len(), Layers::MOST);
}

#[test]
fn a_value_that_has_fewer_records_or_less_committed_does_not_continue_the_one_before() {
    let value = |spans: &[Span], committed: Option<i64>| {
        let mut layers = Layers::default();
        for span in spans {
            layers.add(*span, false, &|gap| gap.is_empty());
        }
        Ranges { layers, committed: committed.map(Offset), ..Ranges::default() }
    };
    let before = value(&[span(10, 20), span(15, 17)], Some(12));
    assert!(before.continues(&before));
    assert!(value(&[span(9, 25), span(14, 18)], Some(13)).continues(&before));
    assert!(!value(&[span(10, 20), span(15, 17)], Some(11)).continues(&before));
    assert!(!value(&[span(10, 20), span(15, 17)], None).continues(&before));
    assert!(!value(&[span(10, 20)], Some(12)).continues(&before), "a layer is missing");
    assert!(!value(&[span(10, 19), span(15, 17)], Some(12)).continues(&before));
    assert!(!value(&[span(10, 20), span(16, 18)], Some(12)).continues(&before));
    assert!(!Ranges { inexact: false, ..before.clone() }.continues(&Ranges { inexact: true, ..before }));
}

proptest! {
    #[test]
    fn a_set_of_spans_is_that_of_its_offsets(
        steps in prop::collection::vec((any_span(), prop::bool::weighted(0.7)), 0..30), asked in any_span(),
    ) {
        let mut spans = Spans::default();
        let mut set = vec![false; none().len()];
        for (span, is_added) in steps {
            if is_added { spans.insert(span) } else { spans.remove(span) }
            offsets(span).for_each(|offset| set[offset] = is_added);
            prop_assert_eq!(spans.as_slice(), islands(&set));
        }
        prop_assert_eq!(spans.covers(asked), offsets(asked).all(|offset| set[offset]));
        let mut merged = spans.clone();
        merged.merge_to(2);
        prop_assert!(merged.len() <= 2);
        prop_assert!(spans.as_slice().iter().all(|span| merged.covers(*span)));
    }

    #[test]
    fn layers_are_those_of_the_counts_at_each_offset(
        joins in any_joins(), steps in prop::collection::vec(any_span(), 0..30), asked in any_span(),
    ) {
        let mut layers = Layers::default();
        let mut counts = none();
        for span in steps {
            let before = layers.clone();
            prop_assert!(process(span, &joins, &mut counts, &mut layers, false));
            prop_assert!(layers.continues(&before));
            prop_assert_eq!(before.continues(&layers), before == layers);
        }
        let at_least = |least| counts.iter().map(|count| *count >= least).collect::<Vec<_>>();
        let expected: Vec<_> = (1..=counts.iter().copied().max().unwrap_or(0)).map(|least| joins.layer(&at_least(least))).collect();
        prop_assert_eq!(layers.as_slice(), &expected);
        prop_assert_eq!(layers.records(), counts.iter().sum::<u64>());
        if let Some(first) = layers.first() {
            let covered = |offset: &usize| first.ranges().iter().any(|range| offsets(range.span()).any(|own| own == *offset));
            prop_assert_eq!(first.covers(asked), offsets(asked).all(|offset| covered(&offset)));
            let gaps: Vec<_> = first.gaps(asked).flat_map(offsets).collect();
            prop_assert_eq!(gaps, offsets(asked).filter(|offset| !covered(offset)).collect::<Vec<_>>());
        }
    }

    /// Joining later is the same as joining at once.
    #[test]
    fn neighbours_can_be_joined_later(joins in any_joins(), steps in prop::collection::vec(any_span(), 0..20)) {
        let (mut later, mut at_once) = (Layers::default(), Layers::default());
        for span in steps {
            process(span, &joins, &mut none(), &mut at_once, false);
            let never = Joins { skipped: vec![false; none().len()], barriers: (0..OFFSETS).collect() };
            for part in joins.parts(span) {
                later.add(part, false, &|gap| never.joins(gap));
            }
        }
        later.for_each(|layer| layer.join(&|gap| joins.joins(gap)));
        prop_assert_eq!(later, at_once);
    }

    /// Over a limit the layers never have a duplicate that is none, and still cover everything.
    #[test]
    fn merged_ranges_make_no_duplicate(
        joins in any_joins(), limit in 3..9_usize, steps in prop::collection::vec(any_span(), 0..40),
    ) {
        let mut layers = Layers::default();
        let mut counts = none();
        let mut merged = false;
        for span in steps {
            let before = layers.clone();
            process(span, &joins, &mut counts, &mut layers, merged);
            merged |= layers.merge_to(limit);
            prop_assert!(layers.len() <= limit.max(layers.as_slice().len()));
            prop_assert!(layers.continues(&before));
            for (offset, count) in (0..).zip(&counts) {
                let again = layers.as_slice().iter().skip(1);
                let proven = again.filter(|layer| layer.overlapping(Span::one(Offset(offset))).iter().any(OffsetRange::is_full));
                prop_assert!(proven.count() as u64 <= count.saturating_sub(1), "offset {}", offset);
                prop_assert!(*count == 0 || layers.first().is_some_and(|first| first.covers(Span::one(Offset(offset)))));
            }
        }
        let again: u64 = layers.as_slice().iter().skip(1).map(Layer::records).sum();
        prop_assert!(again <= counts.iter().map(|count| count.saturating_sub(1)).sum());
        prop_assert!(layers.records() <= counts.iter().sum());
    }
}
