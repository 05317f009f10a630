//! How large a record and its parts may be, in bytes of UTF-8 unless noted otherwise.
//!
//! A record beyond a limit is bad as a whole: cutting a name would merge two series into one.

/// Longest record key.
pub const KEY_BYTES: usize = 1024;
/// Largest record value.
pub const RECORD_BYTES: usize = 1 << 20;
/// Longest instance name.
pub const INSTANCE_BYTES: usize = 255;
/// Longest metric name.
pub const NAME_BYTES: usize = 255;
/// Longest label name.
pub const LABEL_NAME_BYTES: usize = 255;
/// Longest label value.
pub const LABEL_VALUE_BYTES: usize = 1024;
/// Most labels that a series may have (a number, not bytes).
pub const LABELS: usize = 64;
/// Most ranges that a value may have in all its lists together (a number, not bytes).
pub const RANGES: usize = 1000;
/// How the names of series begin that the aggregator derives (audits); a reporter may not use them.
pub const RESERVED_PREFIX: &str = "quipu_audit_";
