use quipu_record::Aggregate;

/// Aggregates that were read together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) aggregates: Vec<Aggregate>,
    /// The next offset of each partition after the batch.
    pub(crate) offsets: Vec<(i32, i64)>,
}

impl Batch {
    /// Whether nothing was read: the batch has no aggregates and moves no position.
    pub(crate) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Moves the position of `partition` to `next`.
    pub(crate) fn advance(&mut self, partition: i32, next: i64) {
        match self.offsets.iter_mut().find(|(of, _)| *of == partition) {
            Some((_, offset)) => *offset = next,
            None => self.offsets.push((partition, next)),
        }
    }
}
