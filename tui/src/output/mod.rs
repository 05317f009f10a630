//! Writes the view as text or JSON, for outputs that are no terminal.

mod json;
mod plain;
mod table;

use crate::view::Report;

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Tables for people
    Plain,
    /// One JSON object per line
    Json,
}

impl Form {
    /// Returns the report in this form, with a line break at its end.
    #[must_use]
    pub fn text(self, report: &Report) -> String {
        match self {
            Self::Plain => plain::text(report),
            Self::Json => json::text(report),
        }
    }
}
