//! What one run has done with one partition. Pure: the partition's cell calls it under its lock.

use quipu_record::{Offset, Ranges, Span, Spans};

/// The ranges of one partition, and what must be known to extend them.
///
/// Ranges are joined across skipped offsets only below the committed offset, and never across a barrier: above it, the
/// number of records on both sides of every offset stays known. Another run that takes over begins at the committed
/// offset, so that what both have processed can be counted exactly.
#[derive(Debug)]
pub(crate) struct Tracker {
    value: Ranges,
    /// The most ranges that the value may have.
    most: usize,
    /// Where an assignment began, or the committed offset where one ended, in ascending order.
    barriers: Vec<Offset>,
    /// The offset that is delivered next if nothing is skipped; `None` before the first delivery of an assignment whose
    /// begin is unknown.
    position: Option<Offset>,
    /// What the assignment has committed last, at first its begin. Another run that takes over begins there.
    cut: Option<Offset>,
    is_assigned: bool,
}

impl Tracker {
    pub(crate) fn new(most: usize) -> Self {
        Self { value: Ranges::default(), most, barriers: Vec::new(), position: None, cut: None, is_assigned: false }
    }

    /// An assignment begins at this offset, if it is known, or continues there after a seek.
    pub(crate) fn assigned(&mut self, begin: Option<Offset>) {
        let is_seek = std::mem::replace(&mut self.is_assigned, true);
        if !is_seek && let Some(cut) = self.cut.take() {
            self.add_barrier(cut);
            self.value.layers.for_each(|layer| layer.split(cut));
        }
        self.position = None;
        if let Some(begin) = begin {
            self.begin(begin);
        }
        self.bound();
    }

    fn begin(&mut self, begin: Offset) {
        self.add_barrier(begin);
        self.position = Some(begin);
        self.cut.get_or_insert(begin);
    }

    /// The assignment ended. What is in hand is delivered to another consumer.
    pub(crate) fn revoked(&mut self) {
        self.value.in_hand.clear();
        self.position = None;
        self.is_assigned = false;
    }

    /// Records were delivered, one at each offset of the span. Returns whether they are the latest ones.
    pub(crate) fn delivered(&mut self, span: Span) -> bool {
        match self.position {
            Some(position) if position <= span.start => {
                self.value.skipped.insert(Span::new(position, span.start));
            }
            // Another thread received a later record and was faster.
            Some(_) if self.value.skipped.covers(span) => {
                self.value.skipped.remove(span);
                self.value.in_hand.insert(span);
                return false;
            }
            // The first delivery of an assignment whose begin is unknown, or a seek that was not reported.
            _ => self.begin(span.start),
        }
        self.value.in_hand.insert(span);
        self.position = Some(span.end);
        self.bound();
        true
    }

    /// Records were processed, one at each offset of the span.
    pub(crate) fn recorded(&mut self, span: Span) {
        let Self { value, barriers, cut, .. } = self;
        let first = barriers.partition_point(|barrier| *barrier <= span.start);
        let within = barriers[first..].iter().copied().take_while(|barrier| *barrier < span.end);
        let mut start = span.start;
        for end in within.chain([span.end]) {
            let joins = joins(barriers, &value.skipped, *cut);
            let complete = value.layers.add(Span::new(start, end), value.inexact, &joins);
            value.inexact |= !complete;
            start = end;
        }
        value.in_hand.remove(span);
        self.bound();
    }

    pub(crate) fn committed(&mut self, offset: Offset) {
        self.value.committed = self.value.committed.max(Some(offset));
        self.cut = Some(offset);
        self.join(Some(offset));
    }

    /// The log ends at this offset.
    pub(crate) fn log_ends(&mut self, offset: Offset) {
        self.value.end = Some(offset);
    }

    /// An offset was committed although the report before was not acknowledged.
    pub(crate) fn set_unpublished(&mut self) {
        self.value.unpublished = true;
    }

    /// The value as it is reported. In a final report nothing is in hand.
    pub(crate) fn value(&self, is_final: bool) -> Ranges {
        let mut value = self.value.clone();
        if is_final {
            value.in_hand.clear();
        }
        // If the run is killed, another one begins at the committed offset.
        if let Some(cut) = self.cut
            && value.len() + value.layers.as_slice().len() <= self.most
        {
            value.layers.for_each(|layer| layer.split(cut));
        }
        value
    }

    fn add_barrier(&mut self, barrier: Offset) {
        if let Err(index) = self.barriers.binary_search(&barrier) {
            self.barriers.insert(index, barrier);
        }
        if self.barriers.len() > self.most {
            self.barriers.remove(0);
        }
    }

    /// Joins ranges across what was skipped below an offset, and forgets skipped offsets that are within ranges.
    fn join(&mut self, below: Option<Offset>) {
        let Ranges { layers, skipped, .. } = &mut self.value;
        layers.for_each(|layer| layer.join(&joins(&self.barriers, skipped, below)));
        let first = layers.first();
        skipped.retain(|span| !first.is_some_and(|first| first.covers(span)));
    }

    /// Keeps the value within the limit. What is in hand may take two fifths of it, and what was skipped one fifth.
    fn bound(&mut self) {
        let (in_hand, skipped) = (self.most * 2 / 5, self.most / 5);
        let most = self.most;
        let is_over = |value: &Ranges| value.len() > most || value.skipped.len() > skipped;
        if is_over(&self.value) {
            self.join(Some(Offset(i64::MAX)));
        }
        if !(is_over(&self.value) || self.value.in_hand.len() > in_hand) {
            return;
        }
        for (spans, most) in [(&mut self.value.in_hand, in_hand), (&mut self.value.skipped, skipped)] {
            self.value.inexact |= spans.len() > most;
            spans.merge_to(most);
        }
        let rest = self.most - self.value.in_hand.len() - self.value.skipped.len();
        self.value.inexact |= self.value.layers.merge_to(rest);
    }
}

/// Whether ranges may be joined across the offsets between them.
fn joins(barriers: &[Offset], skipped: &Spans, below: Option<Offset>) -> impl Fn(Span) -> bool {
    move |gap| {
        let next = barriers.partition_point(|barrier| *barrier < gap.start);
        let crosses = barriers.get(next).is_some_and(|barrier| *barrier <= gap.end);
        !crosses && (gap.is_empty() || below.is_some_and(|below| gap.end < below) && skipped.covers(gap))
    }
}

#[cfg(test)]
mod tests;
