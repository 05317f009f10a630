use crate::ranges::{Layer, OffsetRange, Span};

/// What was processed at least once, at least twice, and so on.
///
/// Ranges of a run are joined across offsets without a record, so that their number stays small where the topic is
/// transactional or compacted. They are not joined where the partition may have passed to another run: there the number
/// of records on each side must stay known, so that duplicates can be counted exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// The most layers that [`add`](Self::add) makes.
    pub const MOST: usize = 100;

    /// Layers from the first on, without empty ones at the end.
    pub(crate) fn new(mut layers: Vec<Layer>) -> Self {
        while layers.pop_if(|layer| layer.ranges().is_empty()).is_some() {}
        Self(layers)
    }

    /// The layers, the first one first.
    #[must_use]
    pub fn as_slice(&self) -> &[Layer] {
        &self.0
    }

    /// The first layer: what was processed at all.
    #[must_use]
    pub fn first(&self) -> Option<&Layer> {
        self.0.first()
    }

    /// The number of ranges in all layers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|layer| layer.ranges().len()).sum()
    }

    /// Whether nothing was processed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of records processed, each time counted.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.iter().fold(0, |sum, layer| sum.saturating_add(layer.records()))
    }

    /// Adds one processing of the record at each offset of a span. New ranges are joined as [`Layer::insert`] does.
    ///
    /// If ranges were merged (`merged`), a range that is not full may lack any of its offsets. A record within it then
    /// counts as new, because it is not known to be a duplicate. The range never becomes full in this way, because that
    /// would make duplicates of later records.
    ///
    /// Returns whether everything was added; what would need more than [`Self::MOST`] layers is not.
    pub fn add(&mut self, span: Span, merged: bool, joins: &impl Fn(Span) -> bool) -> bool {
        self.add_from(0, span, merged, joins)
    }

    fn add_from(&mut self, depth: usize, span: Span, merged: bool, joins: &impl Fn(Span) -> bool) -> bool {
        if span.is_empty() {
            return true;
        }
        if depth == Self::MOST {
            return false;
        }
        if depth == self.0.len() {
            self.0.push(Layer::default());
        }
        let layer = &mut self.0[depth];
        if layer.overlapping(span).is_empty() {
            layer.insert(OffsetRange::full(span), joins);
            return true;
        }
        let gaps: Vec<_> = layer.gaps(span).collect();
        let again: Vec<_> = layer.overlapping(span).iter().map(|range| range.span().intersection(span)).collect();
        let mut complete = true;
        for part in again {
            match self.0[depth].range_at(part.start) {
                Some(range) if merged && !range.is_full() => {
                    let room = range.span().size() - 1 - range.records;
                    complete &= part.size() <= room;
                    range.records += part.size().min(room);
                }
                _ => complete &= self.add_from(depth + 1, part, merged, joins),
            }
        }
        for gap in gaps {
            self.0[depth].insert(OffsetRange::full(gap), joins);
        }
        complete
    }

    /// Changes each layer.
    pub fn for_each(&mut self, change: impl FnMut(&mut Layer)) {
        self.0.iter_mut().for_each(change);
    }

    /// Merges the lowest ranges of the layers with the most ranges until at most this many are left, one for each
    /// layer at least. Returns whether anything was merged.
    pub fn merge_to(&mut self, ranges: usize) -> bool {
        let mut excess = self.len().saturating_sub(ranges);
        let merged = excess > 0;
        while excess > 0 {
            let largest = self.0.iter_mut().max_by_key(|layer| layer.ranges().len());
            let Some(layer) = largest.filter(|layer| layer.ranges().len() > 1) else { break };
            layer.merge_lowest();
            excess -= 1;
        }
        merged
    }

    /// Whether these layers can be the later ones of the same run.
    #[must_use]
    pub fn continues(&self, before: &Self) -> bool {
        before.0.len() <= self.0.len() && self.0.iter().zip(&before.0).all(|(own, before)| own.continues(before))
    }
}
