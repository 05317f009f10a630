use crate::Offset;

/// The offsets from `start` up to `end`, without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first offset.
    pub start: Offset,
    /// The offset after the last.
    pub end: Offset,
}

impl Span {
    /// The span between two offsets; it is empty if `end` is not after `start`.
    #[must_use]
    pub const fn new(start: Offset, end: Offset) -> Self {
        Self { start, end }
    }

    /// The span of one offset.
    #[must_use]
    pub const fn one(offset: Offset) -> Self {
        Self::new(offset, offset.next())
    }

    /// Whether the span has no offset.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end.0 <= self.start.0
    }

    /// The number of its offsets.
    #[must_use]
    pub const fn size(&self) -> u64 {
        if self.is_empty() { 0 } else { self.start.0.abs_diff(self.end.0) }
    }

    /// What both spans have in common.
    #[must_use]
    pub fn intersection(&self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether every offset of `other` is in this span.
    #[must_use]
    pub fn covers(&self, other: Self) -> bool {
        other.is_empty() || (self.start <= other.start && other.end <= self.end)
    }
}

/// A set of offsets: spans in ascending order, of which no two overlap or touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// The spans, in ascending order.
    #[must_use]
    pub fn as_slice(&self) -> &[Span] {
        &self.0
    }

    /// The number of spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set has no offset.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all offsets.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps the spans for which `keeps` is true.
    pub fn retain(&mut self, keeps: impl Fn(Span) -> bool) {
        self.0.retain(|span| keeps(*span));
    }

    /// Whether the set has every offset of the span.
    #[must_use]
    pub fn covers(&self, span: Span) -> bool {
        span.is_empty() || self.0.get(self.first_after(span.start)).is_some_and(|own| own.covers(span))
    }

    /// Adds the offsets of a span.
    pub fn insert(&mut self, mut span: Span) {
        if span.is_empty() {
            return;
        }
        // A span that only touches is joined, too.
        let first = self.0.partition_point(|own| own.end < span.start);
        let after = first + self.0[first..].partition_point(|own| own.start <= span.end);
        if let [own, ..] = self.0[first..after] {
            span.start = span.start.min(own.start);
        }
        if let [.., own] = self.0[first..after] {
            span.end = span.end.max(own.end);
        }
        self.0.splice(first..after, [span]);
    }

    /// Removes the offsets of a span.
    pub fn remove(&mut self, span: Span) {
        let first = self.first_after(span.start);
        let after = first + self.0[first..].partition_point(|own| own.start < span.end);
        if span.is_empty() || first == after {
            return;
        }
        let left = Span::new(self.0[first].start, span.start);
        let right = Span::new(span.end, self.0[after - 1].end);
        self.0.splice(first..after, [left, right].into_iter().filter(|rest| !rest.is_empty()));
    }

    /// Fills the gaps after the lowest spans until at most this many spans are left.
    pub fn merge_to(&mut self, spans: usize) {
        let spans = spans.max(1);
        if let Some(excess) = self.0.len().checked_sub(spans).filter(|excess| *excess > 0) {
            let hull = Span::new(self.0[0].start, self.0[excess].end);
            self.0.splice(..=excess, [hull]);
        }
    }

    /// The index of the first span that ends after the offset.
    fn first_after(&self, offset: Offset) -> usize {
        self.0.partition_point(|own| own.end <= offset)
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut set = Self::default();
        spans.into_iter().for_each(|span| set.insert(span));
        set
    }
}
