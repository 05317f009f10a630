//! The view as text, for whatever is no terminal.

mod json;
mod plain;
mod table;

use crate::view::Report;

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Tables for people
    Plain,
    /// One JSON object a line
    Json,
}

impl Form {
    /// The report in this form, with a line break at its end.
    #[must_use]
    pub fn text(self, report: &Report) -> String {
        match self {
            Self::Plain => plain::text(report),
            Self::Json => json::text(report),
        }
    }
}
