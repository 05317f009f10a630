use crate::{Millis, Offset, limits};

/// Why a record on `metrics` can't be counted.
///
/// A bad record is counted by [`reason`](Self::reason), copied to `metrics-dlq` and skipped; the row of its key stays
/// as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRecord {
    /// The record has no key, so it has no row.
    #[error("the key is null: give every record a key that is unique to what it counts")]
    NullKey,
    /// The key has no bytes.
    #[error("the key is empty: give every record a key that is unique to what it counts")]
    EmptyKey,
    /// The key is not text.
    #[error("the key is not UTF-8")]
    KeyNotUtf8,
    /// The key is longer than [`limits::KEY_BYTES`].
    #[error("the key has {bytes} bytes, more than {}", limits::KEY_BYTES)]
    KeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The value has no bytes (a null value would be a tombstone).
    #[error("the value is empty: a tombstone is a null value")]
    EmptyValue,
    /// The value is larger than [`limits::RECORD_BYTES`].
    #[error("the value has {bytes} bytes, more than {}", limits::RECORD_BYTES)]
    RecordTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The value is not text.
    #[error("the value is not UTF-8")]
    NotUtf8,
    /// The value is not JSON.
    #[error("the value is not JSON: {0}")]
    InvalidJson(String),
    /// The value is JSON, but a field is missing or of the wrong type.
    #[error("the value is not of the contract's shape: {0}")]
    UnexpectedShape(String),
    /// This version can't read the report's `v`.
    #[error("the report has version {0}; this version of Quipu reads version 1: upgrade the aggregator")]
    UnknownVersion(u64),
    /// The key is that of a run and the value is not a report, or the other way round.
    #[error("the key and the value are of different kinds: {0}")]
    KindMismatch(&'static str),
    /// The report names another instance or run than its key.
    #[error("the report's instance or run is not that of its key")]
    RunMismatch,
    /// A plain record's `type` is none that is counted.
    #[error("type {0:?} is not supported: COUNTER, METER and TIMER are, by their `count`")]
    UnsupportedType(String),
    /// A count below zero.
    #[error("a count is negative")]
    NegativeCount,
    /// A count that is not a whole number.
    #[error("a count is not a whole number")]
    FractionalCount,
    /// A count that does not fit 64 bits.
    #[error("a count is beyond 2^64 - 1")]
    CountTooLarge,
    /// A timestamp that is neither seconds nor milliseconds since 1970.
    #[error("the timestamp is neither seconds nor milliseconds since 1970")]
    InvalidTimestamp,
    /// A report of a part whose number is not below the number of parts.
    #[error("the report is of part {part}, but `parts` is {parts}: parts are numbered from 0")]
    PartBeyondParts {
        /// The part that the key names.
        part: u32,
        /// How many parts the run has, as the report has it.
        parts: u32,
    },
    /// A plain record that may expire, but does not declare when its count began.
    #[error("`expires` needs `start`: without it, a key that comes back after it expired can't be counted exactly")]
    ExpiresWithoutStart,
    /// A plain record whose start is earlier than the two that its row has, although the record is the newest.
    #[error(
        "two programs write to one key: the count began at {start}, but the key has a count that began at {latest}: give each program a key of its own"
    )]
    TwoWriters {
        /// The start in the record.
        start: Millis,
        /// The latest start that the row has.
        latest: Millis,
    },
    /// The instance has no name.
    #[error("the instance's name is empty")]
    EmptyInstance,
    /// The instance's name is longer than [`limits::INSTANCE_BYTES`].
    #[error("the instance's name has {bytes} bytes, more than {}", limits::INSTANCE_BYTES)]
    InstanceTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A metric without a name.
    #[error("a metric's name is empty")]
    EmptyName,
    /// A metric's name is longer than [`limits::NAME_BYTES`].
    #[error("a metric's name has {bytes} bytes, more than {}", limits::NAME_BYTES)]
    NameTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A label without a name.
    #[error("a label's name is empty")]
    EmptyLabelName,
    /// A label's name is longer than [`limits::LABEL_NAME_BYTES`].
    #[error("a label's name has {bytes} bytes, more than {}", limits::LABEL_NAME_BYTES)]
    LabelNameTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A label's value is longer than [`limits::LABEL_VALUE_BYTES`].
    #[error("a label's value has {bytes} bytes, more than {}", limits::LABEL_VALUE_BYTES)]
    LabelValueTooLong {
        /// Its length.
        bytes: usize,
    },
    /// More labels than [`limits::LABELS`].
    #[error("a series has {labels} labels, more than {}", limits::LABELS)]
    TooManyLabels {
        /// Their number.
        labels: usize,
    },
    /// A label name that occurs twice in one series.
    #[error("label {0:?} stands twice in one series")]
    DuplicateLabel(String),
    /// A series that occurs twice in one report.
    #[error("series {0:?} stands twice in one report")]
    DuplicateSeries(String),
    /// A series whose name begins with [`limits::RESERVED_PREFIX`].
    #[error("series {series:?} is reserved for what the aggregator derives: choose another name")]
    ReservedName {
        /// The series.
        series: String,
    },
    /// A plain counter's key carried another series before.
    #[error("the key counted series {before:?} before: put the metric's name into the key, or write a tombstone first")]
    SeriesChanged {
        /// The series that the key's row counts.
        before: String,
    },
    /// A newer report of a run has a lower count: a counter can't reset within a run.
    #[error("series {series:?} went back from {before} to {after} within one run")]
    CounterWentBack {
        /// The series.
        series: String,
        /// The count in the row.
        before: u64,
        /// The count in the record.
        after: u64,
    },
    /// A newer report of a run lacks a series that the row has: a series never leaves its part.
    #[error("series {series:?} is missing, although this run reported it before")]
    SeriesVanished {
        /// The series.
        series: String,
    },
    /// A value of ranges whose labels do not name a partition.
    #[error("a value of ranges needs the labels `topic` and `partition`, which is a number")]
    RangesWithoutPartition,
    /// A value of ranges with more ranges than [`limits::RANGES`], in all its lists together.
    #[error("a value has {ranges} ranges, more than {}: merge the oldest and set `inexact`", limits::RANGES)]
    TooManyRanges {
        /// Their number.
        ranges: usize,
    },
    /// An offset that no partition can have.
    #[error("an offset is negative or beyond 2^63 - 1")]
    OffsetOutOfRange,
    /// A range whose end is not after its start.
    #[error("the range from {start} ends at {end}: the end is the offset after the last, so it is greater")]
    RangeBackwards {
        /// The first offset.
        start: Offset,
        /// The offset after the last.
        end: Offset,
    },
    /// A range with more records than offsets, or with none.
    #[error("the range from {start} to {end} can't have {records} records: it has 1 to {}", start.0.abs_diff(end.0))]
    RangeCount {
        /// The first offset.
        start: Offset,
        /// The offset after the last.
        end: Offset,
        /// The number of records.
        records: u64,
    },
    /// Ranges of one list that overlap or are not in ascending order.
    #[error("a range begins at {start}, but the one before it ends at {before}: ranges ascend and do not overlap")]
    RangesOverlap {
        /// The first offset of the later range.
        start: Offset,
        /// The end of the range before it.
        before: Offset,
    },
    /// A newer report of a run has fewer processed records, or a lower committed offset.
    #[error("ranges {series:?} shrank within one run")]
    RangesShrank {
        /// The series.
        series: String,
    },
    /// The record would need a row or a series more than the aggregator is configured to hold.
    #[error("{what} would exceed the limit of {limit}: raise {option}")]
    OverCapacity {
        /// `rows` or `series`.
        what: &'static str,
        /// The limit in force.
        limit: usize,
        /// The option that raises it.
        option: &'static str,
    },
}

impl BadRecord {
    /// A short, stable name of the reason, fit for a label value.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NullKey => "null_key",
            Self::EmptyKey => "empty_key",
            Self::KeyNotUtf8 => "key_not_utf8",
            Self::KeyTooLong { .. } => "key_too_long",
            Self::EmptyValue => "empty_value",
            Self::RecordTooLarge { .. } => "record_too_large",
            Self::NotUtf8 => "not_utf8",
            Self::InvalidJson(_) => "invalid_json",
            Self::UnexpectedShape(_) => "unexpected_shape",
            Self::UnknownVersion(_) => "unknown_version",
            Self::KindMismatch(_) => "kind_mismatch",
            Self::RunMismatch => "run_mismatch",
            Self::UnsupportedType(_) => "unsupported_type",
            Self::NegativeCount => "negative_count",
            Self::FractionalCount => "fractional_count",
            Self::CountTooLarge => "count_too_large",
            Self::InvalidTimestamp => "invalid_timestamp",
            Self::PartBeyondParts { .. } => "part_beyond_parts",
            Self::ExpiresWithoutStart => "expires_without_start",
            Self::TwoWriters { .. } => "two_writers",
            Self::EmptyInstance => "empty_instance",
            Self::InstanceTooLong { .. } => "instance_too_long",
            Self::EmptyName => "empty_name",
            Self::NameTooLong { .. } => "name_too_long",
            Self::EmptyLabelName => "empty_label_name",
            Self::LabelNameTooLong { .. } => "label_name_too_long",
            Self::LabelValueTooLong { .. } => "label_value_too_long",
            Self::TooManyLabels { .. } => "too_many_labels",
            Self::DuplicateLabel(_) => "duplicate_label",
            Self::DuplicateSeries(_) => "duplicate_series",
            Self::ReservedName { .. } => "reserved_name",
            Self::SeriesChanged { .. } => "series_changed",
            Self::CounterWentBack { .. } => "counter_went_back",
            Self::SeriesVanished { .. } => "series_vanished",
            Self::RangesWithoutPartition => "ranges_without_partition",
            Self::TooManyRanges { .. } => "too_many_ranges",
            Self::OffsetOutOfRange => "offset_out_of_range",
            Self::RangeBackwards { .. } => "range_backwards",
            Self::RangeCount { .. } => "range_count",
            Self::RangesOverlap { .. } => "ranges_overlap",
            Self::RangesShrank { .. } => "ranges_shrank",
            Self::OverCapacity { .. } => "over_capacity",
        }
    }
}

/// A text from a record, short enough to be put into an error message.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS: usize = 120;
    let mut short: String = text.chars().take(CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
