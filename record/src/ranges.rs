//! Which records of a partition a run has processed: ranges of offsets, and the algebra of them.

mod layer;
mod layers;
mod read;
mod span;
mod value;
mod write;

#[cfg(test)]
mod oracle;

pub use layer::{Layer, OffsetRange};
pub use layers::Layers;
pub(crate) use read::{RangesSeries, RawRanges};
pub use span::{Span, Spans};
pub use value::Ranges;
pub use write::RangesPrefix;
pub(crate) use write::push_ranges;
