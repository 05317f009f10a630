use crate::{Offset, ranges::Span};

/// All records between two offsets were processed; every other offset between them was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OffsetRange {
    /// The first offset.
    pub start: Offset,
    /// The offset after the last.
    pub end: Offset,
    /// The number of records between them, from 1 to the number of offsets.
    pub records: u64,
}

impl OffsetRange {
    /// The range with a record at each offset of the span.
    #[must_use]
    pub const fn full(span: Span) -> Self {
        Self { start: span.start, end: span.end, records: span.size() }
    }

    /// Its offsets.
    #[must_use]
    pub const fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }

    /// Whether there is a record at each of its offsets.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.records == self.span().size()
    }
}

/// Ranges in ascending order that do not overlap. Ranges that touch stay apart where they must not be joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer(Vec<OffsetRange>);

impl Layer {
    /// A layer of ranges that are in ascending order and do not overlap.
    pub(crate) fn new(ranges: Vec<OffsetRange>) -> Self {
        Self(ranges)
    }

    /// The ranges, in ascending order.
    #[must_use]
    pub fn ranges(&self) -> &[OffsetRange] {
        &self.0
    }

    /// The number of records in all ranges.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.iter().fold(0, |sum, range| sum.saturating_add(range.records))
    }

    /// Whether every offset of the span is in a range.
    #[must_use]
    pub fn covers(&self, span: Span) -> bool {
        self.gaps(span).next().is_none()
    }

    /// The parts of the span that are in no range, in ascending order.
    pub fn gaps(&self, span: Span) -> impl Iterator<Item = Span> {
        let own = self.overlapping(span);
        let starts = std::iter::once(span.start).chain(own.iter().map(|range| range.end));
        let ends = own.iter().map(|range| range.start).chain(std::iter::once(span.end));
        starts.zip(ends).map(|(start, end)| Span::new(start, end)).filter(|gap| !gap.is_empty())
    }

    /// The ranges that have an offset in common with the span.
    #[must_use]
    pub fn overlapping(&self, span: Span) -> &[OffsetRange] {
        let first = self.first_after(span.start);
        let after = first + self.0[first..].partition_point(|own| own.start < span.end);
        &self.0[first..after]
    }

    /// The range that has this offset.
    pub(super) fn range_at(&mut self, offset: Offset) -> Option<&mut OffsetRange> {
        let index = self.first_after(offset);
        self.0.get_mut(index).filter(|range| range.start <= offset)
    }

    /// Adds a range that overlaps with none, and joins it with its neighbours where `joins` allows it for the offsets
    /// between them (none if they touch).
    pub fn insert(&mut self, range: OffsetRange, joins: &impl Fn(Span) -> bool) {
        let index = self.first_after(range.start);
        self.0.insert(index, range);
        self.join_at(index, joins);
        if index > 0 {
            self.join_at(index - 1, joins);
        }
    }

    /// Joins all neighbours for which `joins` allows it.
    pub fn join(&mut self, joins: &impl Fn(Span) -> bool) {
        self.0.dedup_by(|next, before| {
            let joined = joins(Span::new(before.end, next.start));
            if joined {
                extend(before, *next);
            }
            joined
        });
    }

    /// Splits the range that has offsets on both sides, if there is a record at each offset from `at` on. If there are
    /// more offsets than that without a record, the number on each side is not known, and the range stays whole.
    pub fn split(&mut self, at: Offset) {
        let Some(range) = self.range_at(at).filter(|range| range.start < at) else { return };
        let right = OffsetRange::full(Span::new(at, range.end));
        if let Some(records) = range.records.checked_sub(right.records).filter(|left| *left > 0) {
            *range = OffsetRange { start: range.start, end: at, records };
            let index = self.first_after(at);
            self.0.insert(index, right);
        }
    }

    /// Joins the two lowest ranges with all that is between them, if there are two.
    pub fn merge_lowest(&mut self) {
        if let [lowest, next, ..] = &mut self.0[..] {
            extend(lowest, *next);
            self.0.remove(1);
        }
    }

    /// Whether this layer can be the later one of the same run: it covers what the earlier one covers, and has no fewer
    /// records there.
    #[must_use]
    pub fn continues(&self, before: &Self) -> bool {
        let mut earlier = before.0.iter().peekable();
        let mut own = self.0.iter().peekable();
        while let Some(first) = own.next() {
            let mut island = *first;
            while let Some(next) = own.next_if(|next| next.start == island.end) {
                extend(&mut island, *next);
            }
            let mut left = island.records;
            while let Some(range) = earlier.next_if(|range| island.span().covers(range.span())) {
                match left.checked_sub(range.records) {
                    Some(rest) => left = rest,
                    None => return false,
                }
            }
        }
        earlier.next().is_none()
    }

    fn join_at(&mut self, index: usize, joins: &impl Fn(Span) -> bool) {
        if let [range, next, ..] = &mut self.0[index..]
            && joins(Span::new(range.end, next.start))
        {
            extend(range, *next);
            self.0.remove(index + 1);
        }
    }

    /// The index of the first range that ends after the offset.
    fn first_after(&self, offset: Offset) -> usize {
        match self.0.last() {
            // Most offsets are above all ranges.
            Some(last) if last.end <= offset => self.0.len(),
            _ => self.0.partition_point(|own| own.end <= offset),
        }
    }
}

fn extend(range: &mut OffsetRange, next: OffsetRange) {
    range.end = next.end;
    range.records = range.records.saturating_add(next.records);
}
