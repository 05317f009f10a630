//! The topic contract of Quipu: which records `metrics`, `metrics-agg` and `metrics-state` carry, and how they are read
//! and written.
//!
//! ```
//! use quipu_record::{Record, Value, decode};
//!
//! let value = br#"{"name":"records_processed","count":250000}"#;
//! let Record::Plain { plain, .. } = decode(Some(b"app-1:records_processed"), Some(value))? else {
//!     unreachable!("the key is not that of a run");
//! };
//! assert_eq!(plain.series().to_string(), "records_processed");
//! assert_eq!(plain.value, Value::Counter(250_000));
//! # Ok::<(), quipu_record::BadRecord>(())
//! ```
//!
//! Everything here is pure: bytes in, values or bytes out. Decoding borrows from the record; it allocates per record,
//! not per counter. What a record may be, and how large, is in [`limits`]; every way in which one can be bad is a
//! variant of [`BadRecord`].

mod aggregate;
mod counters;
mod decode;
mod error;
mod forget;
mod key;
pub mod limits;
mod number;
mod plain;
mod ranges;
mod report;
mod report_writer;
mod series;
mod state;
mod units;
mod value;

pub use aggregate::{Aggregate, AggregateError, AggregateType, Total};
pub use decode::{Record, decode};
pub use error::BadRecord;
pub use forget::ForgetSeries;
pub use key::{Key, RunKey};
pub use plain::PlainRecord;
pub use ranges::{Layer, Layers, OffsetRange, Ranges, RangesPrefix, Span, Spans};
pub use report::Report;
pub use report_writer::{CounterPrefix, ReportHeader, ReportWriter};
pub use series::{Label, ParseSeriesError, Selector, Series, SeriesRef};
pub use state::{
    Life, RetiredSum, StateClock, StateKey, StateMarker, StatePosition, StateRetired, StateRow, StateRowError,
    StateRowHeader, StateRowKind,
};
pub use units::{Millis, Offset, Partition};
pub use value::Value;
